/**
 * Shows what holds for every verb, walked over by the tree of commands, so that a new verb is tried or missed here: a dry run changes nothing,
 * and JSON is JSON.
 */
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { commands } from "../../../src/cli/commands.ts";
import { runMain } from "../../support/run-main.ts";
import { startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";
import { caPem } from "../../support/throwaway-tls.ts";

const NAME = "fake.test/org/app:1";

/** What each verb is tried with; `$BUNDLE`, `$NEW`, `$PEM` and `$CLIENT` are files of the test. */
const TRIED: Readonly<Record<string, readonly string[]>> = {
  remove: [NAME, "--force"],
  refresh: [NAME],
  keep: ["fake.test/org/other"],
  unkeep: [NAME],
  evict: ["--free", "1TiB"],
  allow: [NAME],
  deny: [NAME],
  approve: [NAME],
  reload: [],
  offline: ["on", "fake.test"],
  bandwidth: ["1MB/s", "fake.test"],
  verify: ["--repair"],
  // Of a name that is not here its manifests are fetched, because nothing else knows sizes (its help says so).
  warm: [NAME],
  "jobs stop": ["1"],
  setup: ["docker", "--server-address", "http://192.0.2.1:5000", "--file", "$CLIENT", "--write"],
  "ca install": ["--system", "debian", "--file", "$PEM", "--root", "$NEW"],
  "ca rotate": [],
  "bundle export": ["$NEW", NAME],
  "bundle import": ["$BUNDLE"],
  import: ["bundle:$BUNDLE"],
};

/**
 * Where nothing is held back, and while a server runs: what a dry run of these says otherwise is in passage.test.ts and in the tests of
 * test/cli/ca.
 */
const REFUSED: Readonly<Record<string, number>> = { approve: 3, "ca rotate": 1 };

/** What can be asked without an argument. */
const ASKED = [
  "status",
  "list",
  "keep",
  "rules",
  "held-back",
  "traffic",
  "pulls",
  "events",
  "offline",
  "bandwidth",
  "warm",
  "jobs list",
];

function leavesOf(command: Command, above: readonly string[] = []): [string, Command][] {
  const path = [...above, command.name()];
  return command.commands.length === 0
    ? [[path.join(" "), command]]
    : command.commands.flatMap((child) => leavesOf(child, path));
}

async function world() {
  const fake = await startFake({ mode: "plain" });
  const folder = await tempDirectory();
  const directory = join(folder, "data");
  const serving = await startServing({ fake, directory });
  const files = {
    $BUNDLE: join(folder, "a.tar"),
    $NEW: join(folder, "b.tar"),
    $CLIENT: join(folder, "daemon.json"),
    $PEM: join(folder, "ca.pem"),
  };
  await writeFile(files.$PEM, caPem);
  const granary = (...args: readonly string[]) => {
    const filled = args.map((arg) => arg.replace(/\$[A-Z]+/, (name) => files[name as keyof typeof files]));
    return runMain(args[0] === "setup" ? filled : [...filled, "--directory", directory]);
  };
  return { fake, folder, directory, serving, granary };
}

test("--dry-run says what would happen, as JSON that says so itself, and changes nothing: every verb that has it", async () => {
  const { fake, folder, directory, granary } = await world();
  const image = fake.addImage("org/app", "1", { seed: 1, layers: [2_000, 1_000], format: "oci" });
  expect(image.layerDigests.length).toBe(2);
  expect(await granary("warm", NAME)).toMatchObject({ code: 0 });
  expect(await granary("keep", NAME)).toMatchObject({ code: 0 });
  expect(await granary("bundle", "export", "$BUNDLE", NAME)).toMatchObject({ code: 0 });
  expect(await granary("remove", NAME, "--force", "--dry-run")).toMatchObject({ code: 0 });

  const state = async () => {
    const answers: unknown[] = [];
    for (const verb of ["list", "keep", "rules", "held-back", "offline", "warm", "jobs list"]) {
      const { code, out } = await granary(...verb.split(" "), "--json");
      expect(code, verb).toBe(0);
      // A dry run may look at a manifest, which is a use of it.
      const answer = JSON.parse(out, (key, value) => (key === "usedAt" ? undefined : (value as unknown))) as {
        items?: { kind?: string }[];
      };
      // To read all that is stored is a job of its own, whatever is done after it.
      answers.push({ ...answer, items: answer.items?.filter(({ kind }) => kind !== "verify") });
    }
    const { limits } = JSON.parse((await granary("bandwidth", "--json")).out) as { limits?: unknown };
    const blobs = (await readdir(join(directory, "blobs"), { recursive: true })).sort();
    return { answers, limits, blobs, files: (await readdir(folder)).sort() };
  };
  const before = await state();
  const verbs = (await commands()).flatMap((command) => leavesOf(command));
  const dry = verbs.filter(([, command]) => command.options.some(({ long }) => long === "--dry-run"));
  expect(dry.map(([path]) => path).sort()).toEqual(Object.keys(TRIED).sort());
  for (const [path, args] of Object.entries(TRIED)) {
    const all = [...path.split(" "), ...args, "--dry-run"];
    const { code, out } = await granary(...all, "--json");
    const wanted = REFUSED[path] ?? 0;
    expect([path, code, out !== ""]).toEqual([path, wanted, wanted === 0]);
    if (wanted === 0) expect(JSON.parse(out), path).toMatchObject({ dryRun: true });
    expect(await granary(...all), path).toMatchObject({ code: wanted });
    expect(await state(), path).toEqual(before);
  }
});

test("--json prints one JSON value and nothing else, and a failure prints none: the sentence is on standard error", async () => {
  const { granary } = await world();
  const verbs = (await commands()).flatMap((command) => leavesOf(command));
  for (const path of ASKED) {
    const { code, out } = await granary(...path.split(" "), "--json");
    expect([path, code]).toEqual([path, 0]);
    expect(() => JSON.parse(out), path).not.toThrow();
  }
  const asking = verbs.filter(([, command]) =>
    ["--server", "--json"].every((wanted) => command.options.some(({ long }) => long === wanted)),
  );
  expect(asking.length).toBeGreaterThan(20);
  for (const [path, command] of asking) {
    const args = command.registeredArguments
      .filter(({ required }) => required)
      .map((argument) => (argument.name() === "id" ? "1" : "x"));
    const own = path === "evict" ? ["--free", "1GiB"] : path === "warm" ? ["x"] : [];
    const all = [...path.split(" "), ...args, ...own, "--json", "--server", "http://127.0.0.1:1"];
    const { code, out, err } = await runMain(all, { cwd: "/", env: { GRANARY_TOKEN: "" } });
    expect([code, out], path).toEqual([expect.any(Number), ""]);
    expect(code, path).not.toBe(0);
    expect(err, path).toMatch(/^granary: \S.*\n/);
  }
});
