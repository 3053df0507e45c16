/** Shows what `granary setup` prints and writes for the person who typed it, and that the pages say the same. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { blocksOf, readPage } from "../../docs/markdown.ts";
import { runGranary } from "../../support/run-granary.ts";
import { runMain } from "../../support/run-main.ts";
import { tempDirectory } from "../../support/temp-directory.ts";
import { caPem, serverCert, serverKey } from "../../support/throwaway-tls.ts";

type Shown = { readonly path: string; readonly state: string; readonly text: string; readonly diff: string };
type Answer = {
  readonly written: boolean;
  readonly files: readonly Shown[];
  readonly restart: string[];
  readonly notes: string[];
};

const ON = ["--server-address", "http://192.0.2.10:5000"];

/** A page may have on one line what a file has on several; TOML stands there as it is written. */
function meaningOf(language: string, text: string): unknown {
  return language === "toml" ? text.trim() : parse(text);
}

async function asked(...args: string[]): Promise<Answer> {
  const { code, out, err } = await runMain(["setup", ...args, "--json"]);
  expect([code, err]).toEqual([0, ""]);
  return JSON.parse(out);
}

/** A server that runs on the directory of the settings would answer in their place: these name one that is nobody's. */
async function writeSettings(listeners: string): Promise<string> {
  const directory = await tempDirectory();
  const config = join(directory, "granary.yaml");
  await writeFile(config, `storage: { directory: ${join(directory, "data")} }\nlisteners:\n${listeners}\n`);
  return config;
}

describe("README.md shows for each client what setup prints", () => {
  const at = "http://GRANARY:5000";
  for (const [client, language, name] of [
    ["docker", "json", "daemon.json"],
    ["containerd", "toml", "hosts.toml"],
    ["podman", "toml", "granary.conf"],
    ["k3s", "yaml", "registries.yaml"],
  ] as const) {
    test(client, async () => {
      const file = join(await tempDirectory(), client === "containerd" ? "config.toml" : name);
      const { files } = await asked(
        client,
        "--server-address",
        at,
        "--registry",
        "docker.io",
        "--file",
        file,
      );
      const text = files.find(({ path }) => path.endsWith(name))?.text ?? "";
      const page = await readPage("README.md");
      const blocks = blocksOf(page).filter((block) => block.language === language);
      const said = blocks.map((block) =>
        meaningOf(language, block.text.replaceAll("GRANARY:5000", "granary:5000")),
      );
      expect(said).toContainEqual(meaningOf(language, text));
      expect(page).toContain(name);
    });
  }
});

test("prints the file, the difference to what is there and what to do, and writes nothing", async () => {
  const file = join(await tempDirectory(), "daemon.json");
  await writeFile(file, '{\n  "debug": true\n}\n');
  const { code, out } = await runMain(["setup", "docker", ...ON, "--file", file]);
  expect(code).toBe(0);
  expect(out).toContain(
    `# ${file} (changed)\n{\n  "debug": true,\n  "registry-mirrors": [\n    "http://192.0.2.10:5000"\n  ]\n}\n`,
  );
  expect(out).toContain('-  "debug": true\n+  "debug": true,\n+  "registry-mirrors": [\n');
  expect(out).toContain("Then: sudo systemctl reload docker\n");
  expect(out).toContain("Nothing was written: --write does it.\n");
  expect(await readFile(file, "utf8")).toBe('{\n  "debug": true\n}\n');
});

test("a dry run says what writing and undoing would do, and does neither", async () => {
  const directory = await tempDirectory();
  const file = join(directory, "daemon.json");
  const dry = await runMain(["setup", "docker", ...ON, "--file", file, "--write", "--dry-run"]);
  expect(dry.out).toContain(`# ${file} (new)\n`);
  expect(dry.out).toContain("this is a dry run");
  expect(await readdir(directory)).toEqual([]);
  expect((await runMain(["setup", "docker", ...ON, "--file", file, "--write"])).out).toContain(
    `Made ${file}.\n`,
  );
  const undo = await runMain(["setup", "docker", "--file", file, "--undo", "--dry-run"]);
  expect(undo.out).toContain(`# ${file} (removed)\n`);
  expect((await readdir(directory)).sort()).toEqual(["daemon.json", "daemon.json.granary-undo"]);
  expect((await runMain(["setup", "docker", "--file", file, "--undo"])).out).toContain(`Removed ${file}.\n`);
  expect((await runMain(["setup", "docker", "--file", file, "--undo"])).out).toBe(
    "Nothing to undo: setup changed no file of it.\n",
  );
  expect(await readdir(directory)).toEqual([]);
});

test("written once, a second time there is nothing to do", async () => {
  const file = join(await tempDirectory(), "daemon.json");
  await runMain(["setup", "docker", ...ON, "--file", file, "--write"]);
  const { code, out } = await runMain(["setup", "docker", ...ON, "--file", file, "--write"]);
  expect(code).toBe(0);
  expect(out).toContain("All of this is there already: nothing to do.\n");
});

describe("the address", () => {
  test("comes from the settings, as this machine reaches that listener", async () => {
    const config = await writeSettings(
      "  - { port: 5123, upstream: docker.io }\n  - { port: 11999, host: 127.0.0.9, upstream: registry.ollama.ai }",
    );
    const file = join(await tempDirectory(), "file");
    expect((await asked("docker", "-c", config, "--file", file)).files[0]?.text).toContain(
      '"http://127.0.0.1:5123"',
    );
    expect((await asked("ollama", "-c", config, "--file", file)).files[0]?.text).toContain(
      "HTTP_PROXY=http://127.0.0.9:11999",
    );
  });

  test("of a listener with TLS is a name of its certificate", async () => {
    const directory = await tempDirectory();
    await writeFile(join(directory, "tls.crt"), serverCert);
    await writeFile(join(directory, "tls.key"), serverKey);
    await writeFile(join(directory, "ca.crt"), caPem);
    const files = `certFile: ${directory}/tls.crt, keyFile: ${directory}/tls.key`;
    const config = await writeSettings(`  - { port: 5123, host: 127.0.0.2, upstream: docker.io, ${files} }`);
    const answer = await asked(
      "docker",
      "-c",
      config,
      "--file",
      join(directory, "daemon.json"),
      "--ca-file",
      join(directory, "ca.crt"),
    );
    expect(answer.files.map(({ path }) => path)).toEqual([
      join(directory, "certs.d/127.0.0.2:5123/ca.crt"),
      join(directory, "daemon.json"),
    ]);
    expect(answer.files[0]?.text).toBe(caPem);
  });

  test.each([
    ["granary.lab", "http://granary.lab:5000"],
    ["granary.lab:80", "http://granary.lab"],
    ["https://granary.lab", "https://granary.lab"],
    ["[2001:db8::1]:5000", "http://[2001:db8::1]:5000"],
    ["http://granary.lab:5000/", "http://granary.lab:5000"],
  ])("%s means %s", async (typed, meant) => {
    const { files } = await asked(
      "docker",
      "--server-address",
      typed,
      "--file",
      join(await tempDirectory(), "f"),
    );
    expect(JSON.parse(files[0]?.text ?? "")).toEqual({ "registry-mirrors": [meant] });
  });

  test.each([
    "ftp://granary",
    "http://a:b@granary:5000",
    "http://granary:5000/v2",
    "",
    "http://granary:5000?x=1",
    'gran"ary:5000',
    "gran'ary",
  ])("%j is refused with a sentence, and nothing is written", async (typed) => {
    const directory = await tempDirectory();
    const { code, err } = await runMain([
      "setup",
      "docker",
      "--server-address",
      typed,
      "--file",
      join(directory, "f"),
      "--write",
    ]);
    expect(code).toBe(2);
    expect(err).toMatch(/^granary: --server-address takes the address of a listener/);
    expect(await readdir(directory)).toEqual([]);
  });

  test("stands in no file as a path that counts from where the command ran", async () => {
    const directory = relative(process.cwd(), await tempDirectory());
    const file = join(directory, "config.toml");
    const { out } = await runMain(["setup", "containerd", ...ON, "--file", file]);
    expect(out).toContain(`config_path = "${resolve(directory, "certs.d")}"`);
  });

  test("that is missing in the settings is told", async () => {
    const config = await writeSettings("  - { port: 5123, upstream: quay.io }");
    const { code, err } = await runMain(["setup", "docker", "-c", config]);
    expect(code).toBe(2);
    expect(err).toContain("no listener for docker.io");
  });

  test("of a listener with a login is refused for Docker", async () => {
    const config = await writeSettings(
      "  - { port: 5123, upstream: docker.io, login: { username: lab, passwordFile: /etc/hostname } }",
    );
    const { code, err } = await runMain(["setup", "docker", "-c", config]);
    expect(code).toBe(2);
    expect(err).toContain(
      "Docker cannot use http://127.0.0.1:5123 as a mirror: that listener asks for a login",
    );
  });
});

test("a login comes on standard input, is written for containerd and never printed", async () => {
  const directory = await tempDirectory();
  const args = [
    "setup",
    "containerd",
    ...ON,
    "--file",
    join(directory, "config.toml"),
    "--registry",
    "docker.io",
  ];
  const login = ["--username", "lab", "--password-stdin"];
  const shown = await runGranary([...args, ...login], { input: "hunter2\n" });
  const encoded = Buffer.from("lab:hunter2").toString("base64");
  expect(shown.code).toBe(0);
  expect(shown.out).not.toContain(encoded);
  expect(shown.out).toContain("Authorization = ***");
  const { code, out } = await runGranary([...args, ...login, "--write"], { input: "hunter2\n" });
  expect([code, out.includes(encoded)]).toEqual([0, false]);
  expect(await readFile(join(directory, "certs.d/docker.io/hosts.toml"), "utf8")).toContain(
    `Basic ${encoded}`,
  );
});

test("secrets that stand in a client's file already are not printed", async () => {
  const file = join(await tempDirectory(), "registries.yaml");
  await writeFile(
    file,
    "configs:\n  reg.lab:\n    auth:\n      username: x\n      password: hunter2\nproxy: http://u:hunter2@proxy.lab\n",
  );
  const { out } = await runMain(["setup", "k3s", ...ON, "--file", file]);
  expect(out).not.toContain("hunter2");
});

test("where this user may not write, that is said with what to do", async () => {
  // Nobody, not even root, makes files there.
  const { code, err } = await runMain([
    "setup",
    "docker",
    ...ON,
    "--file",
    "/sys/kernel/daemon.json",
    "--write",
  ]);
  expect(code).toBe(2);
  expect(err).toMatch(
    /^granary: \/sys\/kernel\/daemon\.json\S* cannot be written by this user: run it with sudo\.\n$/,
  );
});

test("options that do not go together are refused", async () => {
  for (const flags of [
    ["--write", "--undo"],
    ["--dry-run"],
    ["--registry", "a/b"],
    ["--ca-file", "/nowhere"],
  ]) {
    const { code, err } = await runMain(["setup", "docker", ...ON, ...flags]);
    expect([code, err.startsWith("granary: ")]).toEqual([2, true]);
  }
  expect((await runMain(["setup", "lxc"])).err).toContain("Allowed choices are docker, containerd, podman");
});

test("a folder in the place of the file is told", async () => {
  const directory = await tempDirectory();
  await mkdir(join(directory, "daemon.json"));
  const { code, err } = await runMain(["setup", "docker", ...ON, "--file", join(directory, "daemon.json")]);
  expect(code).toBe(2);
  expect(err).toContain("is not a file");
});
