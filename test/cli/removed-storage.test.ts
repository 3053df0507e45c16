/** Shows a real server whose storage is taken away under it: clients notice nothing, and it goes on with what it knows. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import type { FakeRegistry } from "../support/fake-registry.ts";
import { type Serving, startServing } from "../support/serving.ts";
import { smallDisk } from "../support/small-disk.ts";
import { startFake } from "../support/start-upstream.ts";
import { tempDirectory } from "../support/temp-directory.ts";

vi.setConfig({ testTimeout: 180_000 });

const MiB = 2 ** 20;
const SOON = { timeout: 60_000, interval: 100 };
const REMOVED = "was removed or replaced while Granary runs";
const FURNISHED = ["blobs", "granary.db", "granary.db-wal", "layout.json", "partial"];

async function world() {
  const fake = await startFake({ mode: "plain" });
  const data = join(await tempDirectory(), "data");
  const start = () => startServing({ fake, directory: data });
  return { fake, data, start };
}

/** The server makes things again while they are being removed: what came in between is removed as well. */
const REMOVED_ALL = { recursive: true, force: true, maxRetries: 1_000, retryDelay: 1 };

function removeIn(directory: string): void {
  for (const name of readdirSync(directory)) rmSync(join(directory, name), REMOVED_ALL);
}

function layersOf(fake: FakeRegistry, count: number, size: number, seed: number): string[] {
  return Array.from({ length: count }, (_, index) =>
    fake.addGeneratedBlob({ seed: seed + index, size }, "a/b"),
  );
}

async function expectBlob(serving: Serving, digest: string): Promise<string> {
  const { status, isComplete, body, headers } = await serving.get(`/v2/a/b/blobs/${digest}`);
  expect([status, isComplete], body.length < 1000 ? body.toString() : "").toEqual([200, true]);
  expect(digestOf(body)).toBe(digest);
  return String(headers["x-cache"]);
}

/** What is pulled is kept again. */
async function expectKeeping(serving: Serving, digest: string): Promise<void> {
  await expect.poll(() => expectBlob(serving, digest), SOON).toBe("HIT");
}

test("`rm -rf data/*` under load, twice: every pull is whole and right, and everything known outlives kill -9", async () => {
  const { fake, data, start } = await world();
  fake.addImage("a/b", "before", { layers: [1000] });
  const serving = await start();
  await serving.get("/v2/a/b/manifests/before");
  const pulled: string[] = [];
  let isPulling = true;
  const client = async (seed: number) => {
    for (let round = 0; isPulling; round++) {
      for (const digest of layersOf(fake, 2, 2 * MiB, seed * 10_000 + round * 10)) {
        await expectBlob(serving, digest);
        pulled.push(digest);
      }
    }
  };
  const clients = Promise.all([1, 2, 3, 4, 5].map(client));
  clients.catch(() => undefined); // Told below.
  for (let removal = 1; removal <= 2; removal++) {
    const enough = pulled.length + 5;
    await expect.poll(() => pulled.length, SOON).toBeGreaterThan(enough);
    removeIn(data);
    await expect.poll(() => existsSync(join(data, "granary.db")), SOON).toBe(true);
  }
  isPulling = false;
  await clients;
  await expect.poll(() => readdirSync(data).sort(), SOON).toEqual(FURNISHED);
  expect(serving.lines().filter((line) => line.includes(REMOVED)).length).toBeLessThanOrEqual(2);
  expect(await serving.troubles()).toEqual([]);
  const [digest = ""] = layersOf(fake, 1, MiB, 7);
  await expectKeeping(serving, digest);
  await serving.kill();
  await fake.pause();
  const again = await start();
  expect((await again.get("/v2/a/b/manifests/before")).status).toBe(200);
  expect(await expectBlob(again, digest)).toBe("HIT");
});

test("a directory that became a file passes everything through, says what to do, and is used again when it is one", async () => {
  const { fake, data, start } = await world();
  fake.addImage("a/b", "before", { layers: [1000] });
  const serving = await start();
  await serving.get("/v2/a/b/manifests/before");
  renameSync(data, `${data}-aside`);
  writeFileSync(data, "");
  for (const digest of layersOf(fake, 5, MiB, 1)) await expectBlob(serving, digest);
  await expect
    .poll(async () => (await serving.troubles()).join(), SOON)
    .toMatch(/cannot be used: .*Something else lies in its place: move that away/);
  expect((await serving.get("/v2/a/b/manifests/before")).status).toBe(200);
  rmSync(data);
  await expect.poll(() => serving.troubles(), SOON).toEqual([]);
  expect(readdirSync(data).sort()).toEqual(FURNISHED);
  const [digest = ""] = layersOf(fake, 1, MiB, 50);
  await expectKeeping(serving, digest);
  await serving.kill();
  await fake.pause();
  expect((await (await start()).get("/v2/a/b/manifests/before")).status).toBe(200);
});

test("a directory that another server has now is left to that one: nothing of it is touched, and clients are served", async () => {
  const { fake, data, start } = await world();
  // What another server has left there, or is at.
  await (await start()).kill("SIGTERM");
  renameSync(data, `${data}-other`);
  const first = await start();
  const [early = "", late = ""] = layersOf(fake, 2, MiB, 1);
  await expectBlob(first, early);
  renameSync(data, `${data}-aside`);
  renameSync(`${data}-other`, data);
  await expect
    .poll(async () => (await first.troubles()).join(), SOON)
    .toMatch(/Another file lies in the place of .*: restart granary to use that one/);
  const second = await start();
  await expect.poll(() => existsSync(join(data, "granary.sock")), SOON).toBe(true);
  const lying = () => readdirSync(data, { recursive: true }).map(String);
  // The other server tries now and then whether it can write, and takes that away again.
  await expect.poll(() => lying().filter((name) => name.endsWith(".probe")), SOON).toEqual([]);
  const before = lying().filter((name) => !name.endsWith(".probe"));
  expect(await expectBlob(first, late)).toBe("BYPASS");
  await expect.poll(lying, SOON).toEqual(before);
  await expectBlob(second, late);
  await expectKeeping(second, late);
  await first.kill("SIGTERM");
  expect(existsSync(join(data, "granary.sock")), "the other server's, when this one stops").toBe(true);
});

test("a file system that is gone from under its mount point is lived without, and what is known is kept", async () => {
  const disk = await smallDisk("24m");
  const fake = await startFake({ mode: "plain" });
  fake.addImage("a/b", "before", { layers: [1000] });
  const serving = await startServing({ fake, directory: disk.inside, enter: disk.enter });
  await serving.get("/v2/a/b/manifests/before");
  const [umount, ...rest] = disk.enter(["umount", "-l", disk.inside]);
  expect(spawnSync(umount, rest, { encoding: "utf8" }).stderr).toBe("");
  for (const digest of layersOf(fake, 3, MiB, 1)) await expectBlob(serving, digest);
  await expect.poll(() => readdirSync(disk.inside).sort(), SOON).toEqual(FURNISHED);
  await serving.kill();
  await fake.pause();
  const again = await startServing({ fake, directory: disk.inside });
  expect((await again.get("/v2/a/b/manifests/before")).status).toBe(200);
});
