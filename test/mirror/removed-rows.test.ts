/** Shows what becomes of rows whose files somebody removed while the server runs: they count no more, and their blobs come again. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { MiB, startWorld } from "../support/mirror-world.ts";

it("folders that are removed take their rows with them, and the budget has their room again", async () => {
  const world = await startWorld({ budget: { maxSize: 4 * MiB, minFree: 0 } });
  const digests = [1, 2, 3].map((seed) => world.fake.addGeneratedBlob({ seed, size: MiB }));
  for (const digest of digests) await world.read("a/b", digest);
  await world.fills(0);
  // The server may make the folder anew in the middle of its removal.
  await rm(join(world.store.layout.directory, "blobs"), {
    recursive: true,
    maxRetries: 1_000,
    retryDelay: 1,
  });
  await vi.waitFor(async () => expect((await world.mirror.status()).blobs).toBe(0), 60_000);
  expect((await world.mirror.status()).disk.used).toBe(0);
  const big = world.fake.addGeneratedBlob({ seed: 9, size: 3 * MiB });
  await world.read("a/b", big);
  await world.fills(0);
  expect((await world.stat("a/b", big)).outcome).toBe("hit");
  expect(await world.metric("evictions_total")).toBe(0);
});

it("a blob whose file alone was removed comes again, and counts once", async () => {
  const world = await startWorld();
  const digest = world.fake.addGeneratedBlob({ seed: 1, size: MiB });
  await world.read("a/b", digest);
  await world.fills(0);
  await rm(world.store.layout.blob(digest), { force: true });
  const { blob, outcome } = await world.open("a/b", digest);
  expect(outcome).toBe("miss");
  expect((await world.mirror.status()).blobs).toBe(0);
  blob.release();
  await world.read("a/b", digest);
  await world.fills(0);
  expect(await world.mirror.status()).toMatchObject({ blobs: 1, disk: { used: MiB } });
});

it("a fill goes on whose file and folders are removed in the middle, and its blob is kept without a second transfer", async () => {
  // Seconds of it are left when the folders go, on a busy machine too.
  const world = await startWorld({ settings: { bandwidth: { registry: MiB / 2, cdn: undefined } } });
  const digest = world.fake.addGeneratedBlob({ seed: 1, size: 2 * MiB });
  const reading = world.read("a/b", digest);
  await vi.waitFor(
    async () => expect((await world.mirror.status()).fills[0]?.present).toBeGreaterThan(0),
    10_000,
  );
  for (const name of ["blobs", "partial", "layout.json"])
    await rm(join(world.store.layout.directory, name), {
      recursive: true,
      force: true,
      maxRetries: 1_000,
      retryDelay: 1,
    });
  expect(await reading).toHaveLength(2 * MiB);
  await world.fills(0);
  expect((await world.stat("a/b", digest)).outcome).toBe("hit");
  expect(world.fake.bytesSentFor(digest)).toBe(2 * MiB);
});
