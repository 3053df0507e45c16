/** Shows `granary traffic`, `granary pulls` and `granary events`: what they say of a server that was pulled from, of a restarted one, and of none. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { FakeImage } from "../../support/fake-registry.ts";
import { eventually } from "../../support/patience.ts";
import { runMain } from "../../support/run-main.ts";
import { type Serving, startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";
import { ask } from "../../support/wire.ts";

const LAUNCHER = fileURLToPath(new URL("../../../src/cli/granary.js", import.meta.url));
const DOCKER = { "user-agent": "docker/28.0.1 go/go1.23.6 kernel/6.8.0 os/linux arch/amd64" };
const LAYER = 300_000;

/** As Docker does it, without its HEAD. */
async function pull(serving: Serving, { configDigest, layerDigests }: FakeImage): Promise<void> {
  await ask(serving.port, "/v2/org/app/manifests/1", { headers: DOCKER });
  for (const digest of [configDigest, ...layerDigests])
    await ask(serving.port, `/v2/org/app/blobs/${digest}`, { headers: DOCKER });
}

async function world(more: readonly string[] = []) {
  const fake = await startFake({ mode: "plain" });
  const image = fake.addImage("org/app", "1", { layers: [LAYER] });
  const directory = join(await tempDirectory(), "data");
  /** It answers commands a moment after it listens. */
  const start = async () => {
    const serving = await startServing({ fake, directory, more });
    await eventually(async () =>
      expect(await runMain(["status", "--directory", directory])).toMatchObject({ code: 0 }),
    );
    return serving;
  };
  const json = async (...args: string[]) => {
    const { code, out, err } = await runMain([...args, "--directory", directory, "--json"]);
    expect([code, err]).toEqual([0, ""]);
    return JSON.parse(out) as { items: Record<string, unknown>[]; next?: string; today: object; all: object };
  };
  const text = async (...args: string[]) => (await runMain([...args, "--directory", directory])).out;
  return { fake, image, directory, start, json, text };
}

test("they say what was pulled, by whom, and what that saved; also after a restart, after a kill, and without a server", async () => {
  const { image, start, json, text } = await world();
  let serving = await start();
  await pull(serving, image);
  await eventually(async () => expect((await json("events", "--kind", "fill-ended")).items).toHaveLength(2));
  await pull(serving, image);

  const pulls = await json("pulls");
  expect(pulls.items).toMatchObject([
    {
      repository: "org/app",
      tag: "1",
      client: "127.0.0.1",
      agent: "docker",
      state: "done",
      misses: 0,
      blobs: 2,
    },
    { repository: "org/app", tag: "1", client: "127.0.0.1", agent: "docker", state: "done", blobs: 2 },
  ]);
  const traffic = await json("traffic");
  const once = Number(pulls.items[0]?.served);
  expect(traffic.items).toMatchObject([{ served: 2 * once, fetched: once, saved: once, pulls: 2, hits: 3 }]);
  expect(traffic.today).toMatchObject({ saved: once });
  expect(await text("traffic", "--by", "repository")).toMatch(
    /SERVED +FETCHED +SAVED.*REPOSITORY\n.* fake\.test\/org\/app\n/,
  );
  expect(await text("traffic", "--by", "client")).toContain("127.0.0.1");
  const table = await text("pulls");
  expect(table).toMatch(/^[\d:]+ +done +.*127\.0\.0\.1 +docker +fake\.test\/org\/app:1$/m);
  for (const line of table.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  const events = await json("events", "--kind", "pull-ended");
  await eventually(async () => expect((await json("events", "--kind", "pull-ended")).items).toHaveLength(2));
  expect(events.items.every(({ kind }) => kind === "pull-ended")).toBe(true);

  await serving.kill("SIGTERM");
  serving = await start();
  expect((await json("pulls")).items.map(({ id }) => id)).toEqual([2, 1]);
  expect((await json("traffic")).all).toMatchObject({ served: 2 * once, saved: once });

  await serving.kill("SIGKILL");
  expect((await json("pulls", "--limit", "1")).items.map(({ id }) => id)).toEqual([2]);
  expect((await json("pulls", "--after", "2")).items.map(({ id }) => id)).toEqual([1]);
  expect((await json("traffic", "--by", "upstream")).items).toMatchObject([
    { name: "fake.test", served: 2 * once },
  ]);
  expect(await text("events")).toContain("fetched a blob of 293 KiB for fake.test/org/app");
});

test("a pull that fails says why, and can be listed alone", async () => {
  const { image, start, json, text } = await world();
  const serving = await start();
  await pull(serving, image);
  await ask(serving.port, "/v2/org/app/manifests/nothing", { headers: DOCKER });
  await eventually(async () => expect((await json("pulls", "--state", "failed")).items).toHaveLength(1));
  expect(await text("pulls", "--state", "failed")).toMatch(/fake\.test\/org\/app:nothing: .*nothing/);
});

test("with clients: off the address of no client is said", async () => {
  const { image, start, json, text } = await world(["traffic: { clients: off }"]);
  const serving = await start();
  await pull(serving, image);
  expect((await json("pulls")).items[0]?.client).toBeUndefined();
  for (const args of [["pulls"], ["events"], ["traffic", "--by", "client"]])
    expect(await text(...args)).not.toContain("127.0.0.1");
});

test("--follow says what happens as it happens", async () => {
  const { image, directory, start } = await world();
  const serving = await start();
  const args = [LAUNCHER, "events", "--follow", "--json", "--directory", directory];
  const following = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void following.kill("SIGKILL"));
  const kinds: string[] = [];
  createInterface({ input: following.stdout }).on("line", (line) =>
    kinds.push((JSON.parse(line) as { kind: string }).kind),
  );
  await pull(serving, image);
  await eventually(async () => expect(kinds).toEqual(expect.arrayContaining(["pull-begun", "fill-ended"])));
  expect(new Set(kinds).size).toBeGreaterThan(2);
});

test.each([
  [["traffic", "--by", "week"], "Allowed choices are"],
  [["traffic", "--limit", "0"], "Give a whole number from 1 to 1000"],
  [["pulls", "--state", "lost"], "Allowed choices are"],
])("%j is refused", async (args, sentence) => {
  const { code, err } = await runMain(args);
  expect(code).toBe(2);
  expect(err).toContain(sentence);
});
