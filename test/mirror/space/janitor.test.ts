/** Shows that the disk budget holds, what goes for it and what never does, and what a boot makes of what it finds. */
import { chmod, mkdir, readdir, rename, rm, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import type { Digest } from "../../../src/oci/digest.ts";
import { MiB, type MirrorWorld, readAll, startWorld, type WorldOptions } from "../../support/mirror-world.ts";
import { eventually } from "../../support/patience.ts";
import { digestOfPattern, firstDifference } from "../../support/pattern.ts";
import { adoptPattern, owned, put, type TempStore } from "../../support/temp-store.ts";

const KEPT = "hit";

function budgetOf(maxSize: number): WorldOptions {
  return { budget: { maxSize, minFree: 0 } };
}

/** Reads blobs of one MiB each, one after another, seconds apart, and waits until all are kept. */
async function readInTurn(world: MirrorWorld, seeds: readonly number[], size = MiB): Promise<Digest[]> {
  const digests: Digest[] = [];
  for (const seed of seeds) {
    const digest = world.fake.addGeneratedBlob({ seed, size });
    await world.read("a/b", digest);
    await world.fills(0);
    world.clock.aheadMs += 1_000;
    digests.push(digest);
  }
  return digests;
}

async function outcomes(world: MirrorWorld, digests: readonly Digest[]): Promise<string[]> {
  return Promise.all(digests.map(async (digest) => (await world.stat("a/b", digest)).outcome));
}

describe("the budget", () => {
  it("makes room by what was used least recently", async () => {
    const world = await startWorld(budgetOf(3 * MiB));
    const digests = await readInTurn(world, [1, 2, 3]);
    await world.read("a/b", digests[0] ?? "");
    await readInTurn(world, [4]);
    expect(await outcomes(world, digests)).toEqual([KEPT, "miss", KEPT]);
    expect(await world.metric("evictions_total")).toBe(1);
    expect((await world.mirror.status()).disk.used).toBeLessThanOrEqual(3 * MiB);
  });

  it("a blob larger than all of it is passed through, counted, and evicts nothing (F16)", async () => {
    const world = await startWorld(budgetOf(3 * MiB));
    const digests = await readInTurn(world, [1, 2, 3]);
    const big = world.fake.addGeneratedBlob({ seed: 9, size: 4 * MiB });
    const { blob, outcome } = await world.open("a/b", big);
    const reader = blob.reader();
    expect(firstDifference(9, 0, await readAll(reader))).toBeUndefined();
    reader.close();
    blob.release();
    expect(outcome).toBe("bypass");
    expect(await world.metric("bypasses_total")).toBe(1);
    expect(await outcomes(world, digests)).toEqual([KEPT, KEPT, KEPT]);
    expect(await world.store.spool.list()).toEqual([]);
  });

  it("a blob that would not fit beside what is being read is passed through, and evicts nothing (F16)", async () => {
    const world = await startWorld(budgetOf(3 * MiB));
    const digests = await readInTurn(world, [1, 2, 3]);
    const open = await Promise.all(digests.slice(0, 2).map((digest) => world.open("a/b", digest)));
    const big = world.fake.addGeneratedBlob({ seed: 9, size: 2 * MiB });
    expect(await world.read("a/b", big)).toHaveLength(2 * MiB);
    expect(await world.metric("bypasses_total")).toBe(1);
    for (const { blob } of open) blob.release();
    expect(await outcomes(world, digests)).toEqual([KEPT, KEPT, KEPT]);
  });

  it("nothing that is being read goes, and its bytes stay right (F12)", async () => {
    const world = await startWorld(budgetOf(3 * MiB));
    const [first = ""] = await readInTurn(world, [1, 2, 3]);
    const { blob } = await world.open("a/b", first);
    const reader = blob.reader();
    await reader.read(new Uint8Array(1000));
    world.clock.aheadMs += 3_600_000;
    await readInTurn(world, [4, 5, 6, 7]);
    expect(firstDifference(1, 1000, await readAll(reader))).toBeUndefined();
    reader.close();
    blob.release();
    expect((await world.stat("a/b", first)).outcome).toBe(KEPT);
  });

  it("partials go as well, by their age", async () => {
    const world = await startWorld({
      ...budgetOf(3 * MiB),
      upstream: { policy: { smallBlob: 1000, firstSegment: 128 * 1024, largestSegment: 128 * 1024 } },
      before: async (store) => {
        await savePart(store, 50, 3 * MiB, 2 * MiB);
      },
    });
    expect((await world.mirror.status()).disk.used).toBe(2 * MiB);
    const [digest = ""] = await readInTurn(world, [1], 2 * MiB);
    expect(await outcomes(world, [digest as Digest])).toEqual([KEPT]);
    expect(await world.store.spool.list()).toEqual([]);
    const values = (await world.metrics.evictions.get()).values;
    expect(values).toEqual([expect.objectContaining({ labels: { kind: "partial" }, value: 1 })]);
  });

  it("a part that is gone on with needs room only for what it lacks", async () => {
    const world = await startWorld({
      ...budgetOf(3 * MiB),
      before: async (store) => {
        await savePart(store, 50, 3 * MiB, 2 * MiB);
      },
    });
    const whole = world.fake.addGeneratedBlob({ seed: 50, size: 3 * MiB });
    const { blob, outcome } = await world.open("a/b", whole);
    const reader = blob.reader();
    expect(firstDifference(50, 0, await readAll(reader))).toBeUndefined();
    reader.close();
    blob.release();
    expect(outcome).toBe("miss");
    expect(world.fake.bytesSentFor(whole)).toBe(MiB);
  });

  it("running fills count with all that they have still to write", async () => {
    const world = await startWorld({
      ...budgetOf(3 * MiB),
      settings: { bandwidth: { registry: 2 * MiB, cdn: undefined } },
    });
    const slow = world.fake.addGeneratedBlob({ seed: 1, size: 2 * MiB });
    const reading = world.read("a/b", slow);
    await world.fills(1);
    const other = world.fake.addGeneratedBlob({ seed: 2, size: 1.5 * MiB });
    const opened = await world.open("a/b", other);
    opened.blob.release();
    expect(opened.outcome).toBe("bypass");
    expect(await reading).toHaveLength(2 * MiB);
  });

  it("two blobs opened at once do not get the same room", async () => {
    const world = await startWorld(budgetOf(3 * MiB));
    const digests = [1, 2].map((seed) => world.fake.addGeneratedBlob({ seed, size: 2 * MiB }));
    const opened = await Promise.all(digests.map((digest) => world.open("a/b", digest)));
    expect(opened.map(({ outcome }) => outcome).sort()).toEqual(["bypass", "miss"]);
    for (const { blob } of opened) blob.release();
    // What nobody began to read keeps no room.
    const [again] = await Promise.all([world.open("a/b", digests[1] ?? "")]);
    again?.blob.release();
    expect(again?.outcome).toBe("miss");
  });

  it("one blob opened by many needs its room once", async () => {
    const world = await startWorld(budgetOf(3 * MiB));
    const digest = world.fake.addGeneratedBlob({ seed: 1, size: 2 * MiB });
    const bodies = await Promise.all(Array.from({ length: 10 }, () => world.read("a/b", digest)));
    for (const body of bodies) expect(body).toHaveLength(2 * MiB);
    expect(await world.metric("bypasses_total")).toBe(0);
    expect(world.fake.bytesSentFor(digest)).toBe(2 * MiB);
  });

  it("holds with 20 cold blobs at once over room for five: all are served, right to the byte", async () => {
    const world = await startWorld(budgetOf(5 * MiB));
    let most = 0;
    const watching = setInterval(async () => {
      most = Math.max(most, (await world.mirror.status()).disk.used);
    }, 5);
    const seeds = Array.from({ length: 20 }, (_, index) => index + 1);
    await Promise.all(
      seeds.map(async (seed) => {
        const body = await world.read("a/b", world.fake.addGeneratedBlob({ seed, size: MiB }));
        expect(body).toHaveLength(MiB);
        expect(firstDifference(seed, 0, body)).toBeUndefined();
      }),
    );
    await world.fills(0);
    clearInterval(watching);
    // A fill that commits is counted as a fill and as a blob for a moment.
    expect(most).toBeLessThanOrEqual(5 * MiB + 5 * MiB);
    const { disk, blobs } = await world.mirror.status();
    expect(disk.used).toBeLessThanOrEqual(5 * MiB);
    expect(blobs).toBeGreaterThanOrEqual(1);
    expect(await filesBelow(join(world.store.layout.directory, "blobs"))).toBe(blobs);
  });

  it("free bytes of the disk count as well, whatever the budget says", async () => {
    let free = 10 * MiB;
    const world = await startWorld({
      budget: { maxSize: 2 ** 40, minFree: 8 * MiB },
      blobs: (real) => ({ ...real, disk: async () => ({ free, size: 100 * MiB }) }),
    });
    const digests = await readInTurn(world, [1, 2]);
    free = 8.5 * MiB;
    await readInTurn(world, [3]);
    expect(await outcomes(world, digests)).toEqual(["miss", KEPT]);
    free = 0;
    const big = world.fake.addGeneratedBlob({ seed: 9, size: 2 * MiB });
    expect(await world.read("a/b", big)).toHaveLength(2 * MiB);
    expect(await world.metric("bypasses_total")).toBe(1);
  });

  it("a victim that cannot be removed does not keep the others", async () => {
    let stubborn = "";
    const world = await startWorld({
      ...budgetOf(3 * MiB),
      blobs: (real) => ({
        ...real,
        remove: (digest) =>
          digest === stubborn
            ? Promise.reject(new GranaryError("store-damaged", "It cannot be removed."))
            : real.remove(digest),
      }),
    });
    const digests = await readInTurn(world, [1, 2, 3]);
    stubborn = digests[0] ?? "";
    await readInTurn(world, [4], 2 * MiB);
    expect((await outcomes(world, digests)).slice(1)).toContain("miss");
  });

  it("a smaller one than before is reached at the next start", async () => {
    const options = { ...budgetOf(10 * MiB) };
    const world = await startWorld({
      ...options,
      budget: { maxSize: 2 * MiB, minFree: 0 },
      before: async (store) => {
        for (const seed of [1, 2, 3, 4, 5]) await adoptPattern(store, seed, MiB);
      },
    });
    await eventually(async () => expect((await world.mirror.status()).disk.used).toBe(2 * MiB));
    await eventually(async () => expect(await world.metric("disk_used_bytes")).toBe(2 * MiB));
    expect(await world.metric("disk_budget_bytes")).toBe(2 * MiB);
  });
});

describe("a disk without room (F16)", () => {
  const full = () => Promise.reject(new GranaryError("store-full", "The disk has no room."));

  it("in mid-fill: the reader gets its bytes all the same, nothing wrong is kept", async () => {
    const world = await startWorld({
      upstream: { policy: { firstSegment: 256 * 1024, smallBlob: 256 * 1024 } },
      spool: (real) => ({
        rangesOf: (key) => real.rangesOf(key),
        list: () => real.list(),
        remove: (digest) => real.remove(digest),
        openPartial: async (key, size) => {
          const partial = await real.openPartial(key, size);
          const write = partial.write.bind(partial);
          partial.write = (offset, buffers) => (offset >= MiB ? full() : write(offset, buffers));
          return partial;
        },
      }),
    });
    const digest = world.fake.addGeneratedBlob({ seed: 3, size: 3 * MiB });
    const body = await world.read("a/b", digest);
    expect(body).toHaveLength(3 * MiB);
    expect(firstDifference(3, 0, body)).toBeUndefined();
    await world.fills(0);
    expect(await world.store.blobs.stat(digest)).toBeUndefined();
    expect(await world.metric("bypasses_total")).toBeGreaterThan(0);
  });

  it("when the partial is created: likewise", async () => {
    const world = await startWorld({
      spool: (real) => ({
        rangesOf: (key) => real.rangesOf(key),
        list: () => real.list(),
        remove: (digest) => real.remove(digest),
        openPartial: full,
      }),
    });
    const digest = world.fake.addGeneratedBlob({ seed: 3, size: MiB });
    expect(firstDifference(3, 0, await world.read("a/b", digest))).toBeUndefined();
    expect(await world.metric("bypasses_total")).toBeGreaterThan(0);
  });
});

describe("a start", () => {
  it("registers the blobs of a lost database, with their age", async () => {
    const world = await startWorld();
    const digests = await readInTurn(world, [1, 2, 3]);
    const { database } = world.store.layout;
    await world.restart(async () => {
      for (const suffix of ["", "-wal", "-shm"]) await rm(`${database}${suffix}`, { force: true });
    });
    expect(await world.mirror.status()).toMatchObject({ blobs: 3, disk: { used: 3 * MiB } });
    const sent = world.fake.bytesSentFor(digests[0] ?? "");
    await world.read("a/b", digests[0] ?? "");
    expect(world.fake.bytesSentFor(digests[0] ?? "")).toBe(sent);
  });

  it("forgets rows without files", async () => {
    const world = await startWorld();
    const [digest = ""] = await readInTurn(world, [1, 2]);
    await world.restart(() => rm(world.store.layout.blob(digest as Digest), { force: true }));
    expect((await world.mirror.status()).blobs).toBe(1);
    expect(await world.read("a/b", digest)).toHaveLength(MiB);
  });

  it("drops a file of another size than its row says", async () => {
    const world = await startWorld();
    const [digest = ""] = await readInTurn(world, [1]);
    const path = world.store.layout.blob(digest as Digest);
    await world.restart(async () => {
      await chmod(path, 0o600);
      await truncate(path, 100);
    });
    expect((await world.mirror.status()).blobs).toBe(0);
    expect(firstDifference(1, 0, await world.read("a/b", digest))).toBeUndefined();
  });

  it("keeps parts, and removes those whose map claims nothing", async () => {
    let lost = "";
    const world = await startWorld({
      before: async (store) => {
        await savePart(store, 1, 2 * MiB, MiB);
        const other = await savePart(store, 2, 2 * MiB, MiB);
        const files = store.layout.partial(owned(other));
        lost = files.data;
        await rm(files.map);
      },
    });
    expect((await world.store.spool.list()).map(({ digest }) => digest)).toEqual([
      digestOfPattern(1, 2 * MiB),
    ]);
    expect(await readdir(dirname(lost))).toHaveLength(2);
  });

  it("passes over what is no blob", async () => {
    const world = await startWorld({
      before: async (store) => {
        const directory = join(store.layout.blobsOf("sha256"), "ab");
        await mkdir(directory);
        await writeFile(join(directory, "README"), "hello");
        const digest = await adoptPattern(store, 1, 1000);
        await rename(store.layout.blob(digest), join(directory, "f".repeat(64)));
      },
    });
    expect((await world.mirror.status()).blobs).toBe(0);
  });
});

it("a sweep removes the files of fills that got no byte", async () => {
  const world = await startWorld();
  const digest = world.fake.addGeneratedBlob({ seed: 1, size: MiB });
  await world.stat("a/b", digest);
  world.fake.fail(/blobs/, { kind: "status", status: 500 }, { method: "GET", times: 100 });
  await expect(world.read("a/b", digest)).rejects.toMatchObject({ code: "upstream-unavailable" });
  await world.fills(0);
  const directory = world.store.layout.partialsOf("sha256");
  await eventually(async () => expect(await readdir(directory)).toHaveLength(1));
  await world.restart();
  expect(await readdir(directory)).toEqual([]);
});

/** A part of the pattern `seed`, as an earlier process left it. */
async function savePart(store: TempStore, seed: number, size: number, end: number): Promise<Digest> {
  const partial = await store.spool.openPartial(owned(digestOfPattern(seed, size)), size);
  await put(partial, seed, { start: 0, end });
  await partial.checkpoint();
  await partial.close();
  return partial.digest;
}

async function filesBelow(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}
