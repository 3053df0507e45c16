/** Shows what `granary serve` makes of its options, and that --check tells it without opening anything. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startGranary } from "../support/run-granary.ts";
import { runMain } from "../support/run-main.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { serverCert, serverKey } from "../support/throwaway-tls.ts";
import { ask, until } from "../support/wire.ts";

const FILE = `listeners:
  - { port: 5000, host: 127.0.0.1, upstream: docker.io }
  - { port: 11435, upstream: registry.ollama.ai, login: { username: ann, password: "\${GRANARY_TEST_PASSWORD}" } }
storage: { directory: ./stored, maxSize: 10GiB, minFree: 1GiB }
`;

async function check(text: string, ...args: string[]) {
  const directory = await tempDirectory();
  const file = join(directory, "granary.yaml");
  await writeFile(file, text);
  const ended = await runMain(["serve", "--config", file, "--check", ...args], {
    cwd: directory,
    env: { GRANARY_TEST_PASSWORD: "secret-word" },
  });
  expect(await readdir(directory)).toEqual(["granary.yaml"]);
  return { ...ended, file };
}

test("--check says what would be served, and makes nothing", async () => {
  const { code, out, err, file } = await check(FILE);
  expect([code, err]).toEqual([0, ""]);
  expect(out.split("\n").slice(0, 5)).toEqual([
    `${file} can be used.`,
    "It would listen:",
    "  http://127.0.0.1:5000 for docker.io (no login)",
    expect.stringMatching(/^ {2}http:\/\/.*:11435 for registry.ollama.ai \(with a login\)$/),
    `It would keep up to 10 GiB in ${dirname(file)}/stored (not made yet), and leave 1 GiB of the disk free.`,
  ]);
  expect(out).toContain("ghcr.io");
  expect(out).not.toContain("secret-word");
});

test("--check of a bad file is what a start would say: exit code 2", async () => {
  const { code, out, err } = await check("listenres: []\n");
  expect([code, out]).toEqual([2, ""]);
  expect(err).toContain("listenres");
});

test.each([
  [
    ["--port", "8080"],
    ["127.0.0.1:8080 for docker", ":11435 for"],
  ],
  [
    ["-p", "8080,0"],
    ["127.0.0.1:8080 for docker", ":0 for"],
  ],
  [
    ["--host", "10.0.0.7"],
    ["10.0.0.7:5000 for docker", "10.0.0.7:11435 for"],
  ],
  [["-d", "/srv/granary"], ["in /srv/granary (not made yet),"]],
])("%j win over the file", async (args, parts) => {
  const { code, out } = await check(FILE, ...args);
  expect(code).toBe(0);
  for (const part of parts) expect(out).toContain(part);
});

test.each([
  [["--port", "http"], '"http"'],
  [["--port", ""], "from 0 to 65535"],
  [["--port", "1e3"], "from 0 to 65535"],
  [["--host", ""], "--host takes"],
  [["--host", "127.0.0.1:5000"], "without a port"],
  [["--directory", ""], "--directory takes"],
  [["--directory", "granary.yaml"], "granary.yaml cannot be used"],
  [["--directory", "granary.yaml/data"], "granary.yaml/data cannot be used"],
  [["--port", "70000"], "65535"],
  [["--port", "1,2,3"], "names 3 ports, and there are 2 listeners"],
  [["--port", "11435", "--host", "127.0.0.1"], "docker.io and registry.ollama.ai would share port 11435"],
])("%j is a mistake of use: exit code 2", async (args, part) => {
  const { code, out, err } = await check(FILE, ...args);
  expect([code, out]).toEqual([2, ""]);
  expect(err).toContain(part);
  expect(err.trim().split("\n")).toHaveLength(1);
});

test("--check tells what may pass, what is kept, and what would be done when", async () => {
  const text = `upstreams:
  ghcr.io: { allow: [org/**, "app:1.*"], deny: [org/bad], cooldown: 3d }
keep: ["alpine:3.*"]
warm: { nightly: { references: [alpine], schedule: "0 3 * * *" } }
verify: monthly
prefetch: { platforms: [linux/amd64] }
clients: { maxConnections: 100 }
`;
  const { code, out } = await check(text);
  expect(code).toBe(0);
  const lines = out.split("\n");
  for (const line of [
    "Of ghcr.io nothing would pass but: ghcr.io/org/**, ghcr.io/app:1.*.",
    "Of ghcr.io these would not pass: ghcr.io/org/bad.",
    "What is new from ghcr.io would wait 3d.",
    "It would never evict: docker.io/library/alpine:3.*.",
    "It would fetch ahead for: linux/amd64.",
    "Clients could have 100 connections, 12288 from one address.",
  ])
    expect(lines).toContain(line);
  expect(out).toMatch(/^It would warm nightly at "0 3 \* \* \*", next \w{3} \d{4}-\d\d-\d\d 03:00\.$/m);
  expect(out).toMatch(/^It would verify at "monthly", next /m);
  const json = JSON.parse((await check(text, "--json")).out);
  expect(json).toMatchObject({
    passage: [{ upstream: "ghcr.io", deny: ["ghcr.io/org/bad"], cooldownMs: 259_200_000 }],
    keep: ["docker.io/library/alpine:3.*"],
    schedules: [{ what: "warm nightly", schedule: "0 3 * * *" }, { what: "verify" }],
  });
  const bad = await check("upstreams: { ghcr.io: { deny: [docker.io/x] } }\n");
  expect([bad.code, bad.err]).toEqual([2, expect.stringContaining("upstreams.ghcr.io.deny.0")]);
});

test("--check --json is for scripts; a secret that is missing is a sentence", async () => {
  const directory = await tempDirectory();
  await writeFile(join(directory, "tls.crt"), serverCert);
  await writeFile(join(directory, "tls.key"), serverKey);
  const login = `login: { username: ann, password: "\${GRANARY_TEST_PASSWORD}" }`;
  const tls = "certFile: tls.crt, keyFile: tls.key";
  await writeFile(
    join(directory, "granary.yaml"),
    `listeners: [{ port: 5000, upstream: ghcr.io, ${tls}, ${login} }]\nstorage: { directory: ".", maxSize: 1GiB }\n`,
  );
  const run = (password: string) =>
    runMain(["serve", "--config", "granary.yaml", "--check", "--json", "--port", "5443"], {
      cwd: directory,
      env: { GRANARY_TEST_PASSWORD: password },
    });
  const { code, out } = await run("secret-word");
  expect(code).toBe(0);
  expect(out).not.toContain("secret-word");
  const url = expect.stringMatching(/^https:\/\/.*:5443$/) as unknown;
  expect(JSON.parse(out)).toEqual({
    config: "granary.yaml",
    proxy: null,
    fleet: null,
    listeners: [{ url, port: 5443, host: null, upstream: "ghcr.io", login: true }],
    admin: null,
    storage: { directory, isThere: true, maxSize: 2 ** 30, minFree: 5 * 2 ** 30 },
    upstreams: expect.arrayContaining(["docker.io", "ghcr.io"]) as unknown,
    passage: [],
    keep: [],
    schedules: [],
    prefetch: [],
    clients: { maxConnections: 16_384, maxConnectionsPerAddress: 12_288, stallMs: 300_000, sendfile: true },
  });
  const without = await run("");
  expect([without.code, without.out]).toEqual([2, ""]);
  expect(without.err).toContain("GRANARY_TEST_PASSWORD");
  await writeFile(join(directory, "tls.key"), "");
  expect((await run("secret-word")).err).toMatch(/listeners\.0[:.]/);
});

test("a level of the log that there is not is a mistake of use", async () => {
  const { code, out, err } = await runMain(["serve", "--check", "--log-level", "loud"]);
  expect([code, out]).toEqual([2, ""]);
  expect(err).toContain("trace, debug, info, warn, error, silent");
});

test("--check of a directory that a newer Granary made is a failure, and leaves it as it is", async () => {
  const directory = await tempDirectory();
  await mkdir(join(directory, "store"));
  await writeFile(join(directory, "store", "layout.json"), '{"version":99}');
  const { code, err } = await runMain(["serve", "--check", "--directory", "store"], {
    cwd: directory,
    env: { GRANARY_CONFIG: "" },
  });
  expect(code).toBe(2);
  expect(err).toContain("version 99");
  expect(await readdir(join(directory, "store"))).toEqual(["layout.json"]);
});

test("--json without --check is a mistake of use", async () => {
  const { code, err } = await runMain(["serve", "--json"]);
  expect([code, err]).toEqual([2, "granary: --json goes with --check.\n"]);
});

test("a server listens where its flags say, and --check runs beside it", async () => {
  const directory = await tempDirectory();
  const flags = ["--host", "127.0.0.1", "--port", "0,0", "--directory", "store"];
  const granary = startGranary(["serve", ...flags], { cwd: directory, env: { GRANARY_CONFIG: "" } });
  onTestFinished(async () => {
    granary.child.kill("SIGKILL");
    await granary.ended;
  });
  const ports = () => [...granary.text().matchAll(/listening on http:\/\/127\.0\.0\.1:(\d+)/g)];
  await Promise.race([until(() => ports().length === 2), granary.ended]);
  for (const [, port] of ports()) expect((await ask(Number(port), "/readyz")).status).toBe(200);
  const beside = await runMain(["serve", "--check", ...flags], {
    cwd: directory,
    env: { GRANARY_CONFIG: "" },
  });
  expect([beside.code, beside.out]).toEqual([0, expect.stringContaining("http://127.0.0.1:0 for docker.io")]);
});
