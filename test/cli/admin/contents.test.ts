/** Shows the commands for contents beside a running server: list, show, remove, refresh, keep, unkeep, evict, as people and scripts see them. */
import { join } from "node:path";
import { expect, test } from "vitest";
import type { FakeRegistry } from "../../support/fake-registry.ts";
import { eventually } from "../../support/patience.ts";
import { runMain } from "../../support/run-main.ts";
import { type Serving, startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

const KIB = 1024;

async function world() {
  const fake = await startFake({ mode: "plain" });
  const directory = join(await tempDirectory(), "data");
  const serving = await startServing({ fake, directory });
  const granary = (...args: string[]) => runMain([...args, "--directory", directory]);
  return { fake, serving, granary, directory };
}

/** Pulls an image over HTTP, as a client does; its layers are a multiple of a KiB. */
async function pull(
  fake: FakeRegistry,
  { port }: Serving,
  repository: string,
  tag: string,
  seed: number,
): Promise<void> {
  const image = fake.addImage(repository, tag, { seed, layers: [64 * KIB, 32 * KIB], format: "oci" });
  const get = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}/v2/${repository}/${path}`, {
      headers: { accept: "*/*" },
    });
    expect(answer.status, path).toBe(200);
    await answer.arrayBuffer();
  };
  await get(`manifests/${tag}`);
  for (const digest of [image.configDigest, ...image.layerDigests]) await get(`blobs/${digest}`);
}

test("what is stored is listed, shown, kept, evicted and removed", async () => {
  const { fake, serving, granary } = await world();
  expect(await granary("list")).toMatchObject({ code: 0, out: "", err: "Nothing is stored yet.\n" });
  await pull(fake, serving, "org/app", "1.0", 1);
  await pull(fake, serving, "org/app", "1.1", 2);
  await pull(fake, serving, "org/other", "1", 10);

  const list = await granary("list", "--sort", "size");
  expect(list.err).toBe("");
  expect(list.out).toMatch(/^ *SIZE +HERE +TAGS +USED.* NAME$/m);
  expect(list.out).toMatch(/^ *\d+(\.\d+)? KiB +all +2 .* fake\.test\/org\/app$/m);
  expect(list.out.split("\n").every((line) => line.length <= 80)).toBe(true);
  const json = JSON.parse((await granary("list", "fake.test/org/app:*", "--json")).out);
  expect(json).toMatchObject({ count: 2, items: [{ tag: "1.1" }, { tag: "1.0" }] });

  const shown = await granary("show", "fake.test/org/app:1.0");
  expect(shown.out).toMatch(/^Name +fake\.test\/org\/app:1\.0$/m);
  expect(shown.out).toMatch(/64 KiB +all +layer +sha256:/);
  expect(shown.out).toMatch(/^linux\/amd64 +sha256:/m);
  expect(shown.out).not.toContain("MAP");
  expect(shown.out).toMatch(/done .* 127\.0\.0\.1$/m);

  expect((await granary("keep", "fake.test/org/app:1.0")).out).toMatch(
    /^Kept from now on: fake\.test\/org\/app:1\.0, now 1 name with /,
  );
  expect((await granary("keep")).out).toMatch(/command +fake\.test\/org\/app:1\.0$/m);
  const next = JSON.parse((await granary("evict", "--free", "1GiB", "--dry-run", "--json")).out);
  expect(next.isLess).toBe(true);
  expect(next.next.flatMap(({ names }: { names: string[] }) => names)).toContain("fake.test/org/other");

  const refused = await granary("remove", "fake.test/org/app:1.0");
  expect([refused.code, refused.out]).toEqual([4, ""]);
  expect(refused.err).toContain("granary unkeep");
  expect((await granary("unkeep", "fake.test/org/app:1.0")).out).toMatch(/^Not kept any more: /);

  const would = await granary("remove", "fake.test/org/app:1.0", "--dry-run");
  expect(would.out).toMatch(
    /^fake\.test\/org\/app:1\.0\nWould remove 1 name and 3 blobs: \d+(\.\d+)? KiB would come free\.\n$/,
  );
  const did = await granary("remove", "fake.test/org/app:1.0");
  expect(did.out.replace("Removed", "Would remove").replace("come free", "would come free")).toBe(would.out);
  expect(JSON.parse((await granary("list", "fake.test/org/app:*", "--json")).out).count).toBe(1);
  await granary("evict", "--free", "1GiB");
  await eventually(async () => expect(JSON.parse((await granary("status", "--json")).out).blobs).toBe(0));
  await serving.kill("SIGTERM");
});

test("a tag that moved is asked for again at once", async () => {
  const { fake, serving, granary } = await world();
  await pull(fake, serving, "org/app", "latest", 1);
  expect((await granary("refresh", "fake.test/org/app")).out).toBe(
    "fake.test/org/app:latest: has not moved\n",
  );
  const moved = fake.addImage("org/app", "latest", { seed: 5, layers: [KIB] });
  expect((await granary("refresh", "fake.test/org/app", "--dry-run")).out).toContain(
    "would be asked for again",
  );
  expect((await granary("refresh", "fake.test/org/app")).out).toContain(
    `to ${moved.manifestDigest.slice(0, 19)}`,
  );
  await serving.kill("SIGTERM");
});

const MISTAKES: readonly (readonly [args: readonly string[], code: number, sentence: string])[] = [
  [["list", "fake.test/org/ap"], 3, "Near to it: fake.test/org/app."],
  [["show", "fake.test/org/ap"], 3, "Near to it: fake.test/org/app."],
  [["remove", "fake.test/org/ap"], 3, "Near to it: fake.test/org/app."],
  [["refresh", "fake.test/org/app:2"], 3, "Near to it: fake.test/org/app:1."],
  [["unkeep", "fake.test/org/app"], 3, "There is no rule that keeps"],
  [["show", "fake.test/**"], 2, "more than one repository"],
  [["list", "nowhere.test/a"], 3, "no upstream"],
  [["remove", "a b"], 2, "is not a pattern"],
  [["remove", "*", "--unused-for", "soon"], 2, "unusedFor: expected a duration"],
  [["evict", "--free", "much"], 2, "free: expected a size"],
  [["list", "--limit", "0"], 2, "limit"],
  [["list", "--after", "x"], 2, "after"],
];

test("what is wrong is said in one sentence, with an exit code for scripts, and changes nothing", async () => {
  const { fake, serving, granary } = await world();
  await pull(fake, serving, "org/app", "1", 1);
  await pull(fake, serving, "org/other", "1", 5);
  for (const [args, code, sentence] of MISTAKES) {
    const answer = await granary(...args);
    expect([answer.code, answer.out], `${args.join(" ")}: ${answer.err}`).toEqual([code, ""]);
    expect(answer.err).toContain(sentence);
  }
  expect(JSON.parse((await granary("list", "--json")).out).count).toBe(2);
  await serving.kill("SIGTERM");
});

test("where no server runs, the storage directory is opened by the command itself", async () => {
  const { fake, serving, granary } = await world();
  await pull(fake, serving, "org/app", "1", 1);
  await serving.kill("SIGTERM");
  expect((await granary("list")).out).toContain("fake.test/org/app");
  expect((await granary("remove", "fake.test/org/app")).out).toContain("all of it");
  expect(await granary("list")).toMatchObject({ code: 0, out: "" });
});

test("what is here in part is shown with a map of it, as top draws it", async () => {
  const fake = await startFake({
    mode: "plain",
    settings: { bandwidth: { registry: 1_000_000, cdn: undefined } },
  });
  const directory = join(await tempDirectory(), "data");
  const { port } = await startServing({ fake, directory });
  const image = fake.addImage("org/app", "1", { seed: 3, layers: [64 * KIB * KIB] });
  const stop = new AbortController();
  const get = (path: string) =>
    fetch(`http://127.0.0.1:${port}/v2/org/app/${path}`, { headers: { accept: "*/*" }, signal: stop.signal });
  await (await get("manifests/1")).arrayBuffer();
  const body = (await get(`blobs/${image.layerDigests[0]}`)).body?.getReader();
  await body?.read();
  const show = (...flags: string[]) => runMain(["show", "fake.test/org/app:1", "-d", directory, ...flags]);
  await eventually(async () => {
    const { out } = await show();
    expect(out).toMatch(/MAP \(# here, \+ in part, \. not yet\)$/m);
    expect(out).toMatch(/64 MiB .* layer +sha256:[0-9a-f]+ +\[[#+][#+.]+\]$/m);
  });
  const { names } = JSON.parse((await show("--json")).out);
  const [layer] = names[0].images[0].parts.filter(({ role }: { role: string }) => role === "layer");
  expect(layer.runs[0]).toEqual({ start: 0, end: expect.any(Number) });
  stop.abort();
});
