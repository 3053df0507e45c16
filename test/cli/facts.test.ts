/** Shows what inspect, size and parse print for people on terminals of any width, and that scripts get what they always got. */
import { describe, expect, test } from "vitest";
import { placeImage } from "../support/fake-images.ts";
import { addModel } from "../support/models.ts";
import { runAtTerminal, runMain } from "../support/run-main.ts";
import { startFake } from "../support/start-upstream.ts";

const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

async function world() {
  const fake = await startFake({ mode: "plain" });
  const image = placeImage(fake, "org/app", "1", {
    platform: "linux/amd64",
    layers: [Buffer.alloc(3_000_000, "x"), Buffer.from("small")],
    config: {
      created: "2026-01-02T03:04:05Z",
      config: {
        Env: [PATH, "GREETING=hello\u001b[31m\nworld"],
        Cmd: ["/bin/sh", "-c", "exec app"],
        User: "",
        ExposedPorts: { "80/tcp": {} },
        Labels: {
          "org.opencontainers.image.title": "App",
          note: "a few words that are longer than one line of a narrow terminal",
        },
      },
    },
  });
  const template = "{{ .System }}\n  {{ .Prompt }}\n";
  const model = addModel(fake, "me/tiny", "q4", {
    layers: [
      ["model", Buffer.alloc(2_000_000)],
      ["template", template],
    ],
  });
  return { image, model, app: `${fake.host}/org/app:1`, tiny: `${fake.host}/me/tiny:q4` };
}

test("image inspect is aligned lines at a terminal, with sizes that people read", async () => {
  const { app, image } = await world();
  const { code, out, err } = await runAtTerminal(120, ["image", "inspect", app, "--platform", "linux/amd64"]);
  expect([code, err]).toEqual([0, ""]);
  const lines = out.trimEnd().split("\n");
  expect(lines.map((line) => line.replace(/sha256:[0-9a-f]{64}/, "DIGEST"))).toEqual([
    `Reference     ${app}`,
    "Digest        DIGEST",
    "Platform      linux/amd64",
    "Created       2026-01-02T03:04:05Z",
    "Size          2.9 MiB (3000005 bytes)",
    "Layers        2.9 MiB  DIGEST",
    "                  5 B  DIGEST",
    `Env           ${PATH}`,
    "              GREETING=hello\\u001b[31m\\nworld",
    'Cmd           ["/bin/sh","-c","exec app"]',
    "ExposedPorts  80/tcp",
    "Labels        org.opencontainers.image.title=App",
    "              note=a few words that are longer than one line of a narrow terminal",
  ]);
  expect(out).toContain(`Digest        ${image.digest}\n`);
});

describe.each([40, 80, 200])("with %i columns", (columns) => {
  test("no line is longer, except what can be copied whole", async () => {
    const { app, tiny, image } = await world();
    const texts = [
      (await runAtTerminal(columns, ["image", "inspect", app])).out,
      (await runAtTerminal(columns, ["model", "inspect", tiny])).out,
      (await runAtTerminal(columns, ["image", "size", app])).out,
      (await runAtTerminal(columns, ["reference", "parse", `${app}@${image.digest}`])).out,
    ];
    for (const text of texts) {
      for (const line of text.split("\n").filter((line) => line.length > columns))
        expect(line.trim().split(" "), line).toHaveLength(1);
    }
    expect(texts[0]).toContain(image.digest);
  });
});

test("model inspect shows roles and small texts", async () => {
  const { tiny, model } = await world();
  const { out } = await runAtTerminal(200, ["model", "inspect", tiny]);
  expect(out).toContain(`Digest        ${model.digest}\n`);
  expect(out).toContain(
    `Layers        1.9 MiB  model     ${model.layers[0]}\n                 30 B  template  ${model.layers[1]}\n`,
  );
  expect(out).toContain("model_family  llama\n");
  expect(out).toMatch(/template {6}\{\{ \.System }}\n {16}\{\{ \.Prompt }}\n$/);
});

test("image size says it in units, and reference parse by its parts", async () => {
  const { app } = await world();
  const size = await runAtTerminal(80, ["image", "size", app]);
  expect(size.out).toMatch(/^Size +2\.9 MiB \(3000005 bytes\)\nPlatform +linux\/amd64\nDigest\n? +sha256:/);
  const { out } = await runAtTerminal(80, ["reference", "parse", "alpine"]);
  expect(out).toBe(`Name        docker.io/library/alpine:latest
Registry    docker.io
Repository  library/alpine
Tag         latest
`);
});

test("in a pipe, and with --json at a terminal, scripts get what they always got", async () => {
  const { app, tiny } = await world();
  expect((await runMain(["image", "size", app])).out).toBe("3000005\n");
  expect((await runMain(["reference", "parse", "alpine"])).out).toBe("docker.io/library/alpine:latest\n");
  for (const verb of [
    ["image", "inspect", app],
    ["model", "inspect", tiny],
    ["image", "size", app],
  ]) {
    const piped = await runMain([...verb, "--json"]);
    expect((await runAtTerminal(80, [...verb, "--json"])).out).toBe(piped.out);
    if (verb[1] === "inspect") expect(JSON.parse((await runMain(verb)).out)).toEqual(JSON.parse(piped.out));
  }
});
