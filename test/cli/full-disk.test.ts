/** Shows a real server on a real disk without room: nobody is kept from anything, and it is itself again when there is room. */
import { spawnSync } from "node:child_process";
import { readdirSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { firstDifference } from "../support/pattern.ts";
import { type Serving, startServing } from "../support/serving.ts";
import { type SmallDisk, smallDisk } from "../support/small-disk.ts";
import { startFake } from "../support/start-upstream.ts";

vi.setConfig({ testTimeout: 180_000 });

const MiB = 2 ** 20;
const SOON = { timeout: 60_000, interval: 100 };

async function expectPulled(serving: Serving, tag: string): Promise<void> {
  const answer = await serving.get(`/v2/a/b/manifests/${tag}`);
  expect(answer.status, answer.body.toString()).toBe(200);
  const { config, layers } = JSON.parse(answer.body.toString()) as {
    config: { digest: string };
    layers: { digest: string; size: number }[];
  };
  for (const { digest } of [config, ...layers]) {
    const blob = await serving.get(`/v2/a/b/blobs/${digest}`);
    expect([blob.status, blob.isComplete], digest).toEqual([200, true]);
    expect(digestOf(blob.body)).toBe(digest);
  }
}

async function world(size: string) {
  const disk = await smallDisk(size);
  const fake = await startFake({ mode: "plain" });
  const start = () => startServing({ fake, directory: join(disk.inside, "data"), enter: disk.enter });
  return { disk, fake, start };
}

function freeOf({ path }: SmallDisk): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

test("blobs leave room for the database with `minFree: 0`: what was learned on a disk full of them is there after kill -9", async () => {
  const { disk, fake, start } = await world("24m");
  const serving = await start();
  const digests = Array.from({ length: 40 }, (_, index) =>
    fake.addGeneratedBlob({ seed: index + 1, size: MiB }, "a/b"),
  );
  for (const [index, digest] of digests.entries()) {
    const { status, body } = await serving.get(`/v2/a/b/blobs/${digest}`);
    expect([status, body.length]).toEqual([200, MiB]);
    expect(firstDifference(index + 1, 0, body)).toBeUndefined();
  }
  expect(freeOf(disk)).toBeGreaterThan(MiB / 2);
  fake.addImage("a/b", "last", { layers: [1000] });
  await expectPulled(serving, "last");
  expect(await serving.troubles()).toEqual([]);
  await serving.kill();
  await fake.pause();
  const again = await start();
  expect((await again.get("/v2/a/b/manifests/last")).status).toBe(200);
});

test("a disk that others have filled keeps nothing from anybody, over a restart too, and is told once", async () => {
  const { disk, fake, start } = await world("24m");
  fake.addImage("a/b", "before", { layers: [20_000] });
  fake.addImage("a/b", "during", { layers: [2 * MiB] });
  fake.addImage("a/b", "later", { layers: [MiB] });
  const first = await start();
  await expectPulled(first, "before");
  disk.fill();
  for (let round = 0; round < 10; round++) await expectPulled(first, "during");
  const troubles = await first.troubles();
  expect(troubles.join("\n")).toMatch(/The database cannot be written .* free some space/);
  expect(troubles.join("\n")).toMatch(/The disk is full of other things/);
  for (const words of ["The database cannot be written", "The disk is full of other things"]) {
    expect(
      first.lines().filter((line) => line.includes(words)),
      words,
    ).toHaveLength(1);
  }
  await first.kill();
  disk.fill();

  const second = await start();
  expect((await second.troubles()).join("\n")).toMatch(/The disk is full of other things/);
  await fake.pause();
  expect((await second.get("/v2/a/b/manifests/before")).status, "what was stored").toBe(200);
  await fake.resume();
  await expectPulled(second, "during");
  await expectPulled(second, "later");

  disk.free();
  await expect.poll(() => second.troubles(), SOON).toEqual([]);
  await expectPulled(second, "later");
  await second.kill();
  await fake.pause();
  const third = await start();
  for (const tag of ["before", "during", "later"])
    await expect(third.get(`/v2/a/b/manifests/${tag}`), tag).resolves.toMatchObject({ status: 200 });
});

test("a disk that was full for long gives the room of its log back", async () => {
  const { disk, fake, start } = await world("24m");
  const serving = await start();
  disk.fill();
  for (let index = 0; index < 300; index++) fake.addImage("a/b", `t${index}`, { layers: [10], seed: index });
  for (let index = 0; index < 300; index++) {
    expect((await serving.get(`/v2/a/b/manifests/t${index}`)).status).toBe(200);
  }
  disk.free();
  await expect.poll(() => serving.troubles(), SOON).toEqual([]);
  await serving.kill("SIGTERM");
  expect(readdirSync(join(disk.path, "data")).sort()).toEqual([
    "blobs",
    "granary.db",
    "layout.json",
    "partial",
  ]);
  expect(statSync(join(disk.path, "data", "granary.db")).size).toBeGreaterThan(100_000);
});

test("a directory without room for a database of its own is refused with what to do, and not with what to throw away", async () => {
  const { disk, start } = await world("8m");
  disk.fill();
  await expect(start()).rejects.toThrow(/no room|No space|ENOSPC/i);
  disk.free();
  await (await start()).kill();
});

test("folders that turn unwritable under a running server keep nothing from anybody, and are used again when they can be", async () => {
  const { disk, fake, start } = await world("24m");
  for (const tag of ["before", "during"]) fake.addImage("a/b", tag, { layers: [MiB], seed: tag.length });
  const serving = await start();
  await expectPulled(serving, "before");
  const folders = ["blobs/sha256", "partial/sha256"].map((name) => join(disk.inside, "data", name));
  run(disk.enter(["chattr", "+i", ...folders]));
  for (let round = 0; round < 5; round++) {
    await expectPulled(serving, "before");
    await expectPulled(serving, "during");
  }
  await expect
    .poll(async () => (await serving.troubles()).join("\n"), SOON)
    .toMatch(/cannot be used: EPERM.* Make .* readable and writable/);
  run(disk.enter(["chattr", "-i", ...folders]));
  await expect.poll(() => serving.troubles(), SOON).toEqual([]);
  await expectPulled(serving, "during");
  await fake.pause();
  await expect.poll(() => expectPulled(serving, "during").then(() => "kept"), SOON).toBe("kept");
});

test("a start on a file system that is read-only says so", async () => {
  const { disk, start } = await world("8m");
  await (await start()).kill();
  run(disk.enter(["mount", "-o", "remount,ro", disk.inside]));
  await expect(start()).rejects.toThrow(/mounted read-only: mount it writable/);
  run(disk.enter(["mount", "-o", "remount,rw", disk.inside]));
  await (await start()).kill();
});

function run([command, ...args]: readonly [string, ...string[]]): void {
  expect(spawnSync(command, args, { encoding: "utf8" }).stderr).toBe("");
}
