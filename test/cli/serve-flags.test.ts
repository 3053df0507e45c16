/** Shows what `granary serve` makes of its options, and that --check tells it without opening anything. */
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runMain } from "../support/run-main.ts";
import { tempDirectory } from "../support/temp-directory.ts";

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
    "  port 5000 on 127.0.0.1 for docker.io (http, no login)",
    "  port 11435 on all addresses for registry.ollama.ai (http, with a login)",
    "It would keep up to 10 GiB in ./stored, and leave 1 GiB of the disk free.",
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
    ["port 8080 on 127.0.0.1", "port 11435 on all"],
  ],
  [
    ["-p", "8080,0"],
    ["port 8080 on 127.0.0.1", "a port that is free on all"],
  ],
  [
    ["--host", "10.0.0.7"],
    ["port 5000 on 10.0.0.7", "port 11435 on 10.0.0.7"],
  ],
  [["-d", "/srv/granary"], ["in /srv/granary,"]],
])("%j win over the file", async (args, parts) => {
  const { code, out } = await check(FILE, ...args);
  expect(code).toBe(0);
  for (const part of parts) expect(out).toContain(part);
});

test.each([
  [["--port", "http"], '"http"'],
  [["--port", "70000"], "65535"],
  [["--port", "1,2,3"], "names 3 ports, and there are 2 listeners"],
  [["--port", "11435", "--host", "127.0.0.1"], "port 11435 is used by a listener above"],
])("%j is a mistake of use: exit code 2", async (args, part) => {
  const { code, out, err } = await check(FILE, ...args);
  expect([code, out]).toEqual([2, ""]);
  expect(err).toContain(part);
  expect(err.trim().split("\n")).toHaveLength(1);
});
