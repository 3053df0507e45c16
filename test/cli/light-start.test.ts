/** Owns how little is loaded before a command has work: what makes `granary --help` and small verbs quick. Nothing here is timed. */
import { chmodSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runGranary, startGranary } from "../support/run-granary.ts";
import { tempDirectory } from "../support/temp-directory.ts";

/** What a command may load before it knows that it has work. */
const LIGHT = ["commander"];

test("the help of all commands loads no package but the one that parses", async () => {
  const { out, packages } = await packagesOf(["--help"]);
  expect(out).toContain("granary serve");
  expect(packages).toEqual(LIGHT);
});

test("a verb that finds no server has loaded nothing of a server", async () => {
  const { err, packages } = await packagesOf(["status", "--directory", await tempDirectory()]);
  expect(err).toContain("No Granary runs in");
  expect(packages).toEqual(LIGHT);
});

test("asking for the version loads no command", async () => {
  const { files } = await packagesOf(["--version"]);
  expect(files.filter((file) => /\/cli\/(admin|image|model)\/|\/cli\/serve\./.test(file))).toEqual([]);
});

test("what was compiled is kept for the next start, where only this user writes", async () => {
  const cache = await tempDirectory();
  await runGranary(["--version"], { env: { NODE_COMPILE_CACHE: "", XDG_CACHE_HOME: cache } });
  expect(readdirSync(join(cache, "granary", "compiled"))).toHaveLength(1);
});

test.each([
  ["is not there", undefined],
  ["others can write", 0o777],
])("a place for what was compiled that %s is left alone", async (_, mode) => {
  const parent = await tempDirectory();
  const cache = join(parent, "cache");
  if (mode !== undefined) mkdirSync(cache);
  if (mode !== undefined) chmodSync(cache, mode);
  const env = { NODE_COMPILE_CACHE: "", XDG_CACHE_HOME: cache };
  const { code } = await runGranary(["--version"], { env });
  expect(code).toBe(0);
  expect(mode === undefined ? readdirSync(parent) : readdirSync(cache)).toEqual([]);
});

test("G14: a server alone loads nothing of a fleet, neither its packages nor its own files", async () => {
  const directory = await tempDirectory();
  const { nodeFlags, loaded } = await listing();
  const args = ["serve", "--directory", directory, "--port", "0,0", "--host", "127.0.0.1", "--admin", "off"];
  const { child, text, ended } = startGranary(args, { nodeFlags });
  await expect.poll(text).toContain("listening on");
  child.kill("SIGTERM");
  await ended;
  const files = loaded();
  expect(files.some((file) => file.endsWith("/src/open.ts"))).toBe(true);
  expect(files.filter((file) => /\/node_modules\/(postgres|@aws-sdk|@smithy)\//.test(file))).toEqual([]);
  expect(
    files.filter((file) => /\/src\/(opened-fleet|fleet\/[a-z0-9]+\/|http\/internal)/.test(file)),
  ).toEqual([]);
});

async function packagesOf(args: readonly string[]) {
  const { nodeFlags, loaded } = await listing();
  const run = await runGranary(args, { nodeFlags });
  const files = loaded();
  const packages = files.flatMap((file) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []);
  return { ...run, files, packages: [...new Set(packages)] };
}

/** Flags with which Node writes down what it loads. */
async function listing() {
  const list = join(await tempDirectory(), "loaded");
  const hook = `import { registerHooks } from "node:module"; import { appendFileSync } from "node:fs";
    registerHooks({ load(url, context, next) { appendFileSync(${JSON.stringify(list)}, url + "\\n"); return next(url, context); } });`;
  const nodeFlags = ["--import", `data:text/javascript,${encodeURIComponent(hook)}`];
  return { nodeFlags, loaded: () => readFileSync(list, "utf8").split("\n") };
}
