/** Shows that the budget holds, and that nobody is served less, where what is on the disk is not what was thought. */
import { rm } from "node:fs/promises";
import Sqlite from "better-sqlite3";
import { describe, expect, it, vi } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import { type Digest, digestOf } from "../../../src/oci/digest.ts";
import type { BlobStore } from "../../../src/store/blob-store.ts";
import { MiB, type MirrorWorld, startWorld } from "../../support/mirror-world.ts";
import { eventually } from "../../support/patience.ts";
import { digestOfPattern, firstDifference } from "../../support/pattern.ts";
import { adoptPattern, owned, put, type TempStore } from "../../support/temp-store.ts";

vi.setConfig({ testTimeout: 500_000 });

/** More than a start looks at before it serves. */
const MANY = 5_000;

async function savePart(store: TempStore, seed: number, size: number, end: number): Promise<Digest> {
  const partial = await store.spool.openPartial(owned(digestOfPattern(seed, size)), size);
  await put(partial, seed, { start: 0, end });
  await partial.checkpoint();
  await partial.close();
  return partial.digest;
}

function digestAt(index: number): Digest {
  return digestOf(Buffer.from(`row ${index}`));
}

/** Rows of blobs of `size` bytes, as an earlier process wrote them. */
function addRows(path: string, count: number, size: number): void {
  const database = new Sqlite(path);
  const insert = database.prepare(
    "INSERT INTO blobs (digest, size, used_at, verified_at) VALUES (?, ?, ?, 1)",
  );
  database.transaction(() => {
    for (let index = 0; index < count; index++) insert.run(digestAt(index), size, 1_000 + index);
  })();
  database.close();
}

async function used(world: MirrorWorld): Promise<number> {
  return (await world.mirror.status()).disk.used;
}

/** Lists `many` files that are gone by the time anybody looks, then waits for `gate`, then lists what is there. */
function slowList(real: BlobStore, many: number, gate: Promise<void>): BlobStore {
  return {
    ...real,
    async *list(onStranger) {
      const gone = Array.from({ length: many }, (_, index) => digestAt(index)).sort();
      for (const digest of gone) yield { digest, size: 1, changedAt: 1 };
      await gate;
      yield* real.list(onStranger);
    },
  };
}

describe("what others do to the disk", () => {
  it("a partial that somebody removed counts no more after the next look", async () => {
    const world = await startWorld({
      before: async (store) => {
        await savePart(store, 1, 2 * MiB, MiB);
      },
    });
    // The next look at the partials comes when this test says so.
    world.clock.holdsTimers = true;
    await world.restart();
    await eventually(async () => expect(await world.metric("disk_used_bytes")).toBe(MiB));
    const { data, map } = world.store.layout.partial(owned(digestOfPattern(1, 2 * MiB)));
    for (const path of [data, map]) await rm(path);
    world.clock.fireTimers();
    world.clock.holdsTimers = false;
    await eventually(async () => expect(await used(world)).toBe(0));
  });

  it("a blob that cannot be removed keeps its row, counts on, and the next coldest go in its place", async () => {
    let stubborn = "";
    const world = await startWorld({
      budget: { maxSize: 4 * MiB, minFree: 0 },
      blobs: (real) => ({
        ...real,
        remove: (digest) =>
          digest === stubborn
            ? Promise.reject(new GranaryError("store-damaged", "It cannot be removed."))
            : real.remove(digest),
      }),
    });
    const digests: Digest[] = [];
    for (const seed of [1, 2, 3, 4]) {
      digests.push(world.fake.addGeneratedBlob({ seed, size: MiB }));
      await world.read("a/b", digests.at(-1) ?? "");
      await world.fills(0);
      world.clock.aheadMs += 1_000;
    }
    stubborn = digests[0] ?? "";
    const big = world.fake.addGeneratedBlob({ seed: 9, size: 2 * MiB });
    const { blob, outcome } = await world.open("a/b", big);
    expect(outcome).toBe("miss");
    blob.release();
    const outcomes = [];
    for (const digest of digests) outcomes.push((await world.stat("a/b", digest)).outcome);
    expect(outcomes).toEqual(["hit", "miss", "miss", "hit"]);
    expect(await used(world)).toBe(2 * MiB);
  });

  it("rows that were lost under a running server are known again, and count", async () => {
    const world = await startWorld({
      before: async (store) => {
        for (const seed of [1, 2, 3]) await adoptPattern(store, seed, MiB);
      },
    });
    expect(await used(world)).toBe(3 * MiB);
    await world.metadata.forgetBlobs([digestOfPattern(1, MiB), digestOfPattern(2, MiB)]);
    expect(await used(world)).toBe(MiB);
    await rm(world.store.layout.blobsOf("sha512"), { recursive: true });
    await eventually(async () => expect(await used(world)).toBe(3 * MiB));
  });
});

describe("room", () => {
  it("is given once, however many ask at once and however long the disk thinks about it", async () => {
    const world = await startWorld({
      budget: { maxSize: 5 * MiB, minFree: 0 },
      blobs: (real) => ({
        ...real,
        disk: async () => {
          await new Promise((resolve) => setImmediate(resolve));
          return await real.disk();
        },
      }),
    });
    const digests = Array.from({ length: 40 }, (_, seed) => world.fake.addGeneratedBlob({ seed, size: MiB }));
    const opened = await Promise.all(digests.map((digest) => world.open("a/b", digest)));
    expect(opened.filter(({ outcome }) => outcome === "miss")).toHaveLength(5);
    for (const { blob } of opened) blob.release();
    const again = await Promise.all(digests.slice(20, 25).map((digest) => world.open("a/b", digest)));
    expect(again.map(({ outcome }) => outcome)).toEqual(Array(5).fill("miss"));
    for (const { blob } of again) blob.release();
  });

  it("that a fill gave back, because the disk did not take its bytes, is another one's", async () => {
    let failing = "";
    const world = await startWorld({
      budget: { maxSize: 3 * MiB, minFree: 0 },
      settings: { bandwidth: { registry: 4 * MiB, cdn: undefined } },
      upstream: { policy: { firstSegment: 64 * 1024, smallBlob: 64 * 1024, largestSegment: 256 * 1024 } },
      spool: (real) => ({
        rangesOf: (key) => real.rangesOf(key),
        list: () => real.list(),
        remove: (partial) => real.remove(partial),
        openPartial: async (key, size) => {
          const partial = await real.openPartial(key, size);
          const full = () => Promise.reject(new GranaryError("store-damaged", "EIO"));
          if (key.digest === failing) partial.write = full;
          return partial;
        },
      }),
    });
    failing = world.fake.addGeneratedBlob({ seed: 1, size: 2.5 * MiB });
    const slow = world.read("a/b", failing);
    await eventually(async () =>
      expect((await world.mirror.status()).fills[0]?.state ?? "ended").toBe("bypassing"),
    );
    const other = await world.open("a/b", world.fake.addGeneratedBlob({ seed: 2, size: 2.5 * MiB }));
    expect(other.outcome).toBe("miss");
    other.blob.release();
    expect(firstDifference(1, 0, await slow)).toBeUndefined();
  });

  it("for far too little, over a slow line: 60 clients get 20 blobs whole and right, and what is stored stays within the budget", async () => {
    const world = await startWorld({
      budget: { maxSize: 2.5 * MiB, minFree: 0 },
      settings: { bandwidth: { registry: 24 * MiB, cdn: undefined } },
      upstream: { policy: { lanes: 2, firstSegment: 128 * 1024, smallBlob: 64 * 1024 } },
    });
    const digests = Array.from({ length: 20 }, (_, seed) =>
      world.fake.addGeneratedBlob({ seed, size: (1 + (seed % 4)) * MiB }),
    );
    await Promise.all(
      Array.from({ length: 60 }, async (_, client) => {
        const seed = client % digests.length;
        const part = client % 3 === 0 ? { start: MiB / 2, end: MiB } : undefined;
        const body = await world.read("a/b", digests[seed] ?? "", part);
        expect(body).toHaveLength(part === undefined ? (1 + (seed % 4)) * MiB : MiB / 2);
        expect(firstDifference(seed, part?.start ?? 0, body)).toBeUndefined();
      }),
    );
    await world.fills(0);
    await eventually(async () => expect(await used(world)).toBeLessThanOrEqual(2.5 * MiB));
    const files = [];
    for await (const { size } of world.store.blobs.list()) files.push(size);
    const { blobs } = await world.mirror.status();
    expect(files).toHaveLength(blobs);
    expect(files.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(2.5 * MiB);
  });
});

describe("a store of very many blobs", () => {
  it("serves before all of it was looked through, and what has no row is hashed before it is given out", async () => {
    const gate = Promise.withResolvers<void>();
    const world = await startWorld({
      before: async (store) => {
        await adoptPattern(store, 1, MiB);
      },
      blobs: (real) => slowList(real, MANY, gate.promise),
    });
    const known = digestOfPattern(1, MiB);
    world.fake.addGeneratedBlob({ seed: 1, size: MiB });
    expect((await world.mirror.status()).blobs).toBe(0);
    expect(firstDifference(1, 0, await world.read("a/b", known))).toBeUndefined();
    expect(world.fake.bytesSentFor(known)).toBe(0);
    expect((await world.mirror.status()).blobs).toBe(1);
    gate.resolve();
    await eventually(async () =>
      expect(await world.mirror.status()).toMatchObject({ blobs: 1, troubles: [] }),
    );
  });

  it("whose database was lost keeps nothing new until it is counted: the budget holds, and all is served", async () => {
    const gate = Promise.withResolvers<void>();
    const world = await startWorld({
      budget: { maxSize: 4 * MiB, minFree: 0 },
      before: async (store) => {
        for (const seed of [1, 2, 3]) await adoptPattern(store, seed, MiB);
      },
      blobs: (real) => slowList(real, MANY, gate.promise),
    });
    const digests = [11, 12].map((seed) => world.fake.addGeneratedBlob({ seed, size: 2 * MiB }));
    expect(firstDifference(11, 0, await world.read("a/b", digests[0] ?? ""))).toBeUndefined();
    expect(await world.metric("bypasses_total")).toBe(1);
    gate.resolve();
    await eventually(async () => expect((await world.mirror.status()).blobs).toBe(3));
    await eventually(async () => {
      const { blob, outcome } = await world.open("a/b", digests[1] ?? "");
      blob.release();
      expect(outcome).toBe("miss");
    });
    expect(await used(world)).toBeLessThanOrEqual(4 * MiB);
  });

  it("100,000 rows, all of them without files and too many for the budget: a cold blob is served and kept, and they go", async () => {
    const world = await startWorld({ budget: { maxSize: 90 * MiB, minFree: 0 } });
    const { database } = world.store.layout;
    await world.restart(async () => addRows(database, 100_000, 1_024));
    const digest = world.fake.addGeneratedBlob({ seed: 1, size: MiB });
    expect(firstDifference(1, 0, await world.read("a/b", digest))).toBeUndefined();
    await world.fills(0);
    expect((await world.stat("a/b", digest)).outcome).toBe("hit");
    await vi.waitFor(async () => expect((await world.mirror.status()).blobs).toBe(1), {
      timeout: 400_000,
      interval: 200,
    });
    expect(await used(world)).toBeLessThanOrEqual(90 * MiB);
  });
});
