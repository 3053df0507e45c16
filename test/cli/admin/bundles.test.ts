/**
 * Shows `granary bundle export`, `granary bundle import` and `granary import` between real servers and over directories that no server uses:
 * what one has is served by the other, without a line.
 */
import { spawn } from "node:child_process";
import { access, cp, mkdir, open, readdir, readFile, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { digestOf, encodedOf } from "../../../src/oci/digest.ts";
import { tarOf } from "../../client/archives/make-archive.ts";
import { placeImage, placeIndex } from "../../support/fake-images.ts";
import type { FakeRegistry } from "../../support/fake-registry.ts";
import { madeBundle, madeImage } from "../../support/made-bundle.ts";
import { addModel, modelOf } from "../../support/models.ts";
import { eventually } from "../../support/patience.ts";
import { patternBytes } from "../../support/pattern.ts";
import { runGranary } from "../../support/run-granary.ts";
import { runMain } from "../../support/run-main.ts";
import { type Serving, type ServingOptions, startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

/** Commands find it by its directory once its socket lies there, which is a moment after it listens. */
async function serving(options: ServingOptions): Promise<Serving> {
  const started = await startServing(options);
  await eventually(() => access(join(options.directory, "granary.sock")));
  return started;
}

/** A Granary with a line, and one without, both for the same registry, each with its configuration. */
async function twoGranaries() {
  const fake = await startFake({ mode: "plain" });
  const [there, here] = [join(await tempDirectory(), "there"), join(await tempDirectory(), "here")];
  const source = await serving({ fake, directory: there });
  const away = async () => {
    await fake.pause();
    return await serving({ fake, directory: here });
  };
  return { fake, there, here, source, away };
}

async function isServed(port: number, reference: string, blobs: readonly Uint8Array[] = []): Promise<void> {
  const { status } = await fetch(`http://127.0.0.1:${port}/v2/team/app/manifests/${reference}`);
  expect(status, reference).toBe(200);
  for (const blob of blobs) {
    const answer = await fetch(`http://127.0.0.1:${port}/v2/team/app/blobs/${digestOf(blob)}`);
    expect(Buffer.from(await answer.arrayBuffer()).equals(Buffer.from(blob))).toBe(true);
  }
}

function layersOf(fake: FakeRegistry, seed: number) {
  const layers = [patternBytes(seed, 0, 300_000), patternBytes(seed + 1, 0, 10)];
  return { layers, image: placeImage(fake, "team/app", undefined, { platform: "linux/amd64", layers }) };
}

describe("a bundle that one Granary makes and another imports", () => {
  test("brings images, chosen platforms and models, which are served without a line", async () => {
    const { fake, there, here, away } = await twoGranaries();
    const { layers, image } = layersOf(fake, 1);
    const other = placeImage(fake, "team/app", undefined, {
      ...{ platform: "linux/arm64", layers: [patternBytes(9, 0, 5_000)] },
    });
    placeIndex(fake, "team/app", "1", [
      { ...image, platform: "linux/amd64" },
      { ...other, platform: "linux/arm64" },
    ]);
    const model = addModel(fake, "library/tiny", "latest", { layers: [modelOf(3, 200_000)] });
    const bundle = join(await tempDirectory(), "images.tar");
    const names = ["fake.test/team/app:1", "fake.test/library/tiny"];
    const args = ["bundle", "export", bundle, ...names, "--platform", "linux/amd64", "--directory", there];

    const dry = await runMain([...args, "--dry-run", "--json"]);
    expect(dry).toMatchObject({ code: 0 });
    const plan = JSON.parse(dry.out);
    expect(plan).toMatchObject({
      dryRun: true,
      names: [{ name: "fake.test/library/tiny:latest" }, { absent: 1 }],
    });
    expect(plan.toFetch).toBeGreaterThan(500_000);
    await expect(readFile(bundle)).rejects.toThrow("ENOENT");

    const made = await runMain([...args, "--quiet"]);
    expect(made).toMatchObject({ code: 0, err: "" });
    expect(made.out).toContain("linux/amd64 (1 more is left out)");
    const bytes = await readFile(bundle);
    await runMain([...args, "--quiet"]);
    expect((await readFile(bundle)).equals(bytes), "the same contents give the same bytes").toBe(true);

    const without = await away();
    const imported = await runMain(["bundle", "import", bundle, "--directory", here, "--json"]);
    expect(imported.code).toBe(0);
    expect(JSON.parse(imported.out).names).toMatchObject([
      { outcome: "imported" },
      { outcome: "imported", absent: 1 },
    ]);
    await isServed(without.port, "1", layers);
    await isServed(without.port, image.digest);
    const tiny = await fetch(`http://127.0.0.1:${without.port}/v2/library/tiny/manifests/latest`);
    expect(Buffer.from(await tiny.arrayBuffer()).equals(model.bytes)).toBe(true);

    const again = await runMain(["bundle", "import", bundle, "--directory", here]);
    expect(again.out).toContain("here already");
    expect(again.out).toContain("0 B copied");
    const none = await runMain(["bundle", "import", bundle, "other/**", "--directory", here]);
    expect(none).toMatchObject({ code: 3, err: expect.stringContaining("fake.test/team/app:1") });
  });

  test("is written whole or not at all, with the reason", async () => {
    const { fake, there } = await twoGranaries();
    placeImage(fake, "team/app", "1", { layers: [patternBytes(1, 0, 50_000)] });
    const folder = await tempDirectory();
    const bundle = join(folder, "images.tar");
    await writeFile(bundle, "what was here before");
    const export_ = (...more: string[]) =>
      runMain(["bundle", "export", bundle, ...more, "--directory", there]);
    expect(await export_("fake.test/team/app:1", "--no-fetch")).toMatchObject({
      code: 3,
      err: expect.stringContaining("--no-fetch"),
    });
    expect(await export_("fake.test/team/none:*")).toMatchObject({ code: 3 });
    expect(await export_("fake.test/team/app:9")).toMatchObject({ code: 3 });
    fake.fail(/blobs/, { kind: "status", status: 404 }, { times: 100 });
    const failed = await export_("fake.test/team/app:1");
    expect(failed.code).not.toBe(0);
    expect(failed.err).toContain("not there");
    expect(await readdir(folder)).toEqual(["images.tar"]);
    expect(await readFile(bundle, "utf8")).toBe("what was here before");
  });

  test("goes over standard output and input", async () => {
    const { fake, there, here, away } = await twoGranaries();
    const layers = [patternBytes(1, 0, 50_000)];
    placeImage(fake, "team/app", "1", { layers });
    const folder = await tempDirectory();
    const made = await runGranary(["bundle", "export", "-", "fake.test/team/app:1", "--directory", there], {
      ...{ cwd: folder, env: { NO_COLOR: "1" } },
    });
    expect(made.code).toBe(0);
    const without = await away();
    const file = join(folder, "x.tar");
    await runMain(["bundle", "export", file, "fake.test/team/app:1", "--directory", there, "--quiet"]);
    const input = (await readFile(file)).toString("latin1");
    expect(input.length).toBeGreaterThan(50_000);
    const imported = await importFromStdin(here, file);
    expect(imported).toMatchObject({ code: 0 });
    await isServed(without.port, "1", layers);
  });
});

test("a server that is killed in the middle of an import shows nothing of the name, and the next import goes on", async () => {
  const fake = await startFake({ mode: "plain" });
  const directory = join(await tempDirectory(), "data");
  const first = await serving({ fake, directory });
  await fake.pause();
  const image = madeImage(1, [200_000, 12_000_000]);
  const bundle = await madeBundle({ "fake.test/team/app:1": image });
  const file = join(await tempDirectory(), "images.tar");
  await writeFile(file, bundle);
  const sending = request({
    ...{ socketPath: join(directory, "granary.sock"), method: "POST", path: "/api/v1/bundles/import" },
    headers: { "Content-Type": "application/x-tar" },
  });
  sending.on("error", () => undefined);
  sending.write(bundle.subarray(0, 9_000_000));
  // The second layer is being written: its file is there, and the first one is stored.
  await eventually(async () => expect(await filesBelow(join(directory, "partial"))).not.toEqual([]));
  await eventually(async () => expect(await filesBelow(join(directory, "blobs"))).toHaveLength(2));
  await first.kill("SIGKILL");
  sending.destroy();
  const second = await serving({ fake, directory });
  expect((await second.get("/v2/team/app/manifests/1")).status).toBeGreaterThanOrEqual(400);
  expect((await second.get(`/v2/team/app/manifests/${image.digest}`)).status).toBeGreaterThanOrEqual(400);
  const done = await runMain(["bundle", "import", file, "--directory", directory, "--json"]);
  const report = JSON.parse(done.out);
  expect([done.code, report.names[0].outcome]).toEqual([0, "imported"]);
  expect(report.copied, "the first layer is not copied again").toBe(12_000_000);
  await isServed(second.port, "1", image.blobs);
});

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

/** A shell's redirection: bytes, which a text as input could not be. */
async function importFromStdin(directory: string, file: string) {
  const { createReadStream } = await import("node:fs");
  const child = spawn(process.execPath, [
    "src/cli/granary.js",
    "bundle",
    "import",
    "-",
    "--directory",
    directory,
  ]);
  createReadStream(file).pipe(child.stdin);
  let err = "";
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  return await new Promise<{ code: number | null; err: string }>((resolve) =>
    child.once("close", (code) => resolve({ code, err })),
  );
}

describe("without a server", () => {
  test("the directory is opened by the command, and what was imported is served by the next server", async () => {
    const fake = await startFake({ mode: "plain" });
    const directory = join(await tempDirectory(), "data");
    const first = await serving({ fake, directory });
    await first.kill("SIGTERM");
    const image = madeImage(1);
    const bundle = join(await tempDirectory(), "images.tar");
    await writeFile(bundle, await madeBundle({ "fake.test/team/app:1": image }));
    const done = await runMain(["bundle", "import", bundle, "--config", first.config, "--json"]);
    expect(done).toMatchObject({ code: 0 });
    await fake.pause();
    const next = await serving({ fake, directory });
    await isServed(next.port, "1", image.blobs);
    await next.kill("SIGTERM");
    const copy = join(await tempDirectory(), "copy.tar");
    const made = await runMain([
      "bundle",
      "export",
      copy,
      "fake.test/**",
      "--config",
      next.config,
      "--no-fetch",
    ]);
    expect(made).toMatchObject({ code: 0 });
  });
});

test("a bundle that goes to a disk without room by standard output ends with one sentence", async () => {
  const { fake, there } = await twoGranaries();
  placeImage(fake, "team/app", "1", { layers: [patternBytes(1, 0, 50_000)] });
  const full = await open("/dev/full", "w").catch(() => undefined);
  if (full === undefined) return; // Not on this system.
  const args = ["bundle", "export", "-", "fake.test/team/app:1", "--directory", there, "--quiet"];
  const child = spawn(process.execPath, ["src/cli/granary.js", ...args], {
    stdio: ["ignore", full.fd, "pipe"],
  });
  let err = "";
  child.stderr?.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const code = await new Promise((resolve) => child.once("close", resolve));
  await full.close();
  expect(code).toBe(1);
  expect(err).toMatch(/^granary: Nothing more can be written to standard output: ENOSPC[^\n]*\n$/);
});

test("what has nothing in it is said, and nothing is asked", async () => {
  const { here, away } = await twoGranaries();
  await away();
  const folder = await tempDirectory();
  const file = join(folder, "empty.tar");
  await writeFile(file, await tarOf([{ name: "index.json", content: '{"manifests":[]}' }]));
  await mkdir(join(folder, "manifests"));
  for (const source of [`oci:${file}`, `ollama:${folder}`])
    expect(await runMain(["import", source, "--directory", here])).toMatchObject({
      ...{ code: 3, out: "", err: expect.stringContaining("nothing in it that could be imported") },
    });
});

describe("an import from elsewhere", () => {
  async function server() {
    const fake = await startFake({ mode: "plain" });
    const directory = join(await tempDirectory(), "data");
    const started = await serving({ fake, directory });
    await fake.pause();
    return { fake, directory, serving: started };
  }

  test("takes archives with their lists at the end, wrong bytes of which are named", async () => {
    const { directory, serving } = await server();
    const image = madeImage(1);
    const whole = await madeBundle({ "fake.test/team/app:1": image });
    const folder = join(await tempDirectory(), "layout");
    await mkdir(join(folder, "blobs/sha256"), { recursive: true });
    for (const bytes of [image.manifest, ...image.blobs])
      await writeFile(join(folder, "blobs/sha256", encodedOf(digestOf(bytes))), bytes);
    const index = whole.subarray(512, 512 + whole.indexOf("\0", 512) - 512);
    await writeFile(join(folder, "index.json"), index);
    const backwards = join(await tempDirectory(), "backwards.tar");
    const blobs = [image.manifest, ...image.blobs].map((content) => ({
      ...{ name: `blobs/sha256/${encodedOf(digestOf(content))}`, content },
    }));
    await writeFile(backwards, await tarOf([...blobs.reverse(), { name: "index.json", content: index }]));
    const dry = await runMain(["import", `oci:${backwards}`, "--directory", directory, "--dry-run"]);
    expect(dry.out).toContain("fake.test/team/app:1: would be imported");
    expect(await runMain(["import", `oci:${backwards}`, "--directory", directory])).toMatchObject({
      code: 0,
    });
    await isServed(serving.port, "1", image.blobs);

    const bad = madeImage(2);
    const wrong = join(await tempDirectory(), "wrong.tar");
    const layer = digestOf(bad.blobs[1] ?? Buffer.of());
    await writeFile(wrong, await madeBundle({ "fake.test/team/app:2": bad }, { wrong: [layer] }));
    const refused = await runMain(["bundle", "import", wrong, "--directory", directory]);
    expect(refused).toMatchObject({ code: 5, out: expect.stringContaining(layer) });
    expect(await runMain(["import", `oci:${folder}`, "--directory", directory])).toMatchObject({ code: 0 });
  });

  test("takes what docker save wrote, with the digests that it has there", async () => {
    const { directory, serving } = await server();
    const layer = await tarOf([{ name: "file", content: patternBytes(1, 0, 5_000) }]);
    const config = Buffer.from(
      JSON.stringify({
        os: "linux",
        architecture: "amd64",
        rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
      }),
    );
    const name = `${encodedOf(digestOf(config))}.json`;
    const list = [
      { Config: name, RepoTags: ["fake.test/team/app:1", "fake.test/team/app:2"], Layers: ["l/layer.tar"] },
    ];
    const file = join(await tempDirectory(), "saved.tar");
    const entries = [
      { name, content: config },
      { name: "l/layer.tar", content: layer },
    ];
    await writeFile(
      file,
      await tarOf([...entries, { name: "manifest.json", content: JSON.stringify(list) }]),
    );
    expect(await runMain(["import", `docker-archive:${file}`, "--directory", directory])).toMatchObject({
      code: 0,
    });
    await isServed(serving.port, "1", [config, layer]);
    await isServed(serving.port, "2", [config, layer]);
  });

  test("takes Ollama's own store, and leaves its models as they are", async () => {
    const { directory, serving } = await server();
    const models = join(await tempDirectory(), "models");
    const parts = [Buffer.from('{"model_format":"gguf"}'), patternBytes(1, 0, 70_000)];
    const described = parts.map((bytes) => ({ digest: digestOf(bytes), size: bytes.length }));
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.docker.distribution.manifest.v2+json",
        config: { mediaType: "application/vnd.docker.container.image.v1+json", ...described[0] },
        layers: [{ mediaType: "application/vnd.ollama.image.model", ...described[1] }],
      }),
    );
    const place = join(models, "manifests", "fake.test", "team", "app");
    await mkdir(place, { recursive: true });
    await mkdir(join(models, "blobs"));
    await writeFile(join(place, "1b"), manifest);
    // The older of the two forms in which Ollama has called its files, and one that is still being pulled.
    for (const [index, bytes] of parts.entries()) {
      const name = digestOf(bytes).replace(":", index === 0 ? ":" : "-");
      await writeFile(join(models, "blobs", name), bytes);
    }
    const begun = manifest
      .toString()
      .replaceAll(encodedOf(digestOf(parts[1] ?? Buffer.of())), "f".repeat(64));
    await writeFile(join(place, "2b"), begun);
    await writeFile(join(models, "blobs", `sha256-${"f".repeat(64)}-partial`), "half");
    const through = join(models, "manifests", "granary.lab:11435", "team", "Other");
    await mkdir(through, { recursive: true });
    await writeFile(join(through, "1b"), manifest);
    const done = await runMain(["import", `ollama:${models}`, "--directory", directory, "--json"]);
    expect(JSON.parse(done.out).names).toMatchObject([
      { name: "fake.test/team/app:1b", outcome: "imported" },
      { name: "fake.test/team/app:2b", outcome: "incomplete" },
      { outcome: "refused", reason: expect.stringContaining("--rename granary.lab:11435=REGISTRY") },
    ]);
    await isServed(serving.port, "1b", parts);
    const renamed = async (rename: string, ...patterns: string[]) =>
      await runMain([
        ...["import", `ollama:${models}`, ...patterns, "--rename", rename],
        ...["--directory", directory, "--json", "--dry-run"],
      ]);
    const other = await renamed("Granary.lab:11435=registry.ollama.ai", "registry.ollama.ai/team/Other:1b");
    expect(JSON.parse(other.out).names).toMatchObject([
      { name: "registry.ollama.ai/team/Other:1b", outcome: "imported" },
    ]);
    for (const wrong of ["granary.lab:11435", "elsewhere.lab=fake.test", "=x"])
      expect(await renamed(wrong)).toMatchObject({ code: 2, out: "" });
    const nothing = await runMain(["import", `ollama:${directory}`, "--directory", directory]);
    expect(nothing).toMatchObject({ code: 2, err: expect.stringContaining("OLLAMA_MODELS") });
  });

  test("takes another Granary's directory, whole images of it, unless that one runs", async () => {
    const { fake, there, here, source, away } = await twoGranaries();
    const { layers, image } = layersOf(fake, 1);
    placeIndex(fake, "team/app", "1", [{ ...image, platform: "linux/amd64" }]);
    placeImage(fake, "team/app", "begun", { layers: [patternBytes(5, 0, 5_000)] });
    const config = Buffer.from("a signature");
    const attached = { subject: { digest: image.digest, size: image.size, mediaType: image.mediaType } };
    const signature = placeImage(fake, "team/app", undefined, { config, manifest: attached });
    for (const reference of ["1", image.digest, "begun", signature.digest])
      await source.get(`/v2/team/app/manifests/${reference}`);
    await source.get(`/v2/team/app/blobs/${digestOf(config)}`);
    await runMain([
      "bundle",
      "export",
      join(await tempDirectory(), "x"),
      "fake.test/team/app:1",
      "-d",
      there,
    ]);
    const held = await runMain(["import", `granary:${there}`, "--directory", here]);
    expect(held).toMatchObject({ code: 2 });
    await source.kill("SIGTERM");
    const copy = join(await tempDirectory(), "copy");
    await cp(there, copy, { recursive: true });
    const before = await readFile(join(copy, "granary.db"));
    const without = await away();
    const done = await runMain(["import", `granary:${copy}`, "--directory", here, "--json"]);
    expect(done.code).toBe(3);
    expect(JSON.parse(done.out).names).toMatchObject([
      { name: "fake.test/team/app:1", outcome: "imported" },
      { name: "fake.test/team/app:begun", outcome: "incomplete" },
      { name: `fake.test/team/app@${signature.digest}`, outcome: "imported" },
    ]);
    await isServed(without.port, "1", layers);
    const listed = await without.get(`/v2/team/app/referrers/${image.digest}`);
    expect(listed.body.toString()).toContain(signature.digest);
    expect((await readFile(join(copy, "granary.db"))).equals(before), "the other one is only read").toBe(
      true,
    );
  });

  test("takes a registry that is no upstream, under another name", async () => {
    const { directory, serving } = await server();
    const other = await startFake({ mode: "plain" });
    const layers = [patternBytes(1, 0, 50_000)];
    placeImage(other, "staging/app", "9", { platform: "linux/amd64", layers });
    const done = await runMain([
      ...["import", `registry:${other.host}/staging/app:9`, "--as", "fake.test/team/app:1"],
      ...["--insecure", "--directory", directory],
    ]);
    expect([done.code, done.err]).toEqual([0, expect.stringContaining("Copied")]);
    await isServed(serving.port, "1", layers);
  });

  test.each([
    ["nonsense", 2, "is no source of an import"],
    ["oci:", 2, "is no source of an import"],
    ["oci:/does/not/exist", 2, "There is no file or folder"],
    ["docker-archive:/etc/hostname", 2, "tar archive"],
    ["granary:/etc", 2, "no storage directory"],
  ])("%s is refused with what to do, and nothing changes", async (source, code, sentence) => {
    const { code: found, err, out } = await runMain(["import", source, "--directory", "/nowhere"]);
    expect([found, out]).toEqual([code, ""]);
    expect(err).toContain(sentence);
  });
});
