/** Shows that what the database cannot do keeps no bytes from a client, and gives nobody more than they may have. */
import { describe, expect, it } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { faulty, type MetadataFaults } from "../support/faulty-metadata.ts";
import { startWorld, type WorldOptions } from "../support/mirror-world.ts";
import { eventually } from "../support/patience.ts";

const credentials = { username: "granary", password: "hunter2" };
const loggedIn = { loggedIn: true };

const FAULTS = {
  "on a full disk": new GranaryError("store-full", "The metadata failed: SQLITE_FULL, it is full."),
  "on a disk that fails": new GranaryError("store-damaged", "The metadata failed: SQLITE_IOERR_WRITE, EIO."),
};

/** A Mirror whose database fails as `faults` says, over restarts too. */
async function faultyWorld(options: WorldOptions = {}) {
  let faults: MetadataFaults | undefined;
  const world = await startWorld({
    ...options,
    metadata: (real) => {
      const made = faulty(real);
      faults = made.faults;
      return made.metadata;
    },
  });
  return { world, faults: () => faults ?? unreachable() };
}

function unreachable(): never {
  throw new Error("The Mirror has begun with a database.");
}

describe.each(Object.entries(FAULTS))("a database that cannot be written, %s", (_, fault) => {
  it("keeps nothing from anybody: a new image is pulled whole, by tag and by digest, twice", async () => {
    const { world, faults } = await faultyWorld();
    const image = world.fake.addImage("a/b", "1", { layers: [300_000] });
    faults().write = fault;
    for (const outcome of ["miss", "hit"]) {
      expect((await world.get("a/b", "1")).outcome).toBe(outcome);
      await world.get("a/b", image.manifestDigest);
      await world.head("a/b", "1");
      for (const digest of [image.configDigest, ...image.layerDigests]) {
        expect((await world.read("a/b", digest)).length).toBeGreaterThan(0);
      }
      await world.fills(0);
    }
    expect((await world.tags("a/b")).outcome).toBe("miss");
    expect(world.fake.bytesSentFor(image.layerDigests[0] ?? "")).toBe(300_000);
    expect((await world.mirror.status()).troubles).toEqual([expect.stringContaining("cannot be written")]);
  });

  it("writes all of it when that goes again, without a restart", async () => {
    const { world, faults } = await faultyWorld();
    const image = world.fake.addImage("a/b", "1", { layers: [300_000] });
    faults().write = fault;
    await world.get("a/b", "1");
    await world.read("a/b", image.layerDigests[0] ?? "");
    await world.fills(0);
    faults().write = undefined;
    await eventually(async () => expect((await world.mirror.status()).troubles).toEqual([]));
    await world.restart(() => world.fake.pause());
    expect((await world.get("a/b", "1")).manifest.digest).toBe(image.manifestDigest);
    expect((await world.stat("a/b", image.layerDigests[0] ?? "")).outcome).toBe("hit");
  });

  it("forgets nothing that was forgotten: an evicted blob is not evicted a second time", async () => {
    const MiB = 2 ** 20;
    const { world, faults } = await faultyWorld({ budget: { maxSize: 3 * MiB, minFree: 0 } });
    const digests = [1, 2, 3, 4, 5].map((seed) => world.fake.addGeneratedBlob({ seed, size: MiB }));
    for (const digest of digests.slice(0, 3)) await world.read("a/b", digest);
    await world.fills(0);
    faults().write = fault;
    for (const digest of digests.slice(3)) {
      world.clock.aheadMs += 1_000;
      await world.read("a/b", digest);
      await world.fills(0);
    }
    expect(await world.metric("evictions_total")).toBe(2);
    expect(await world.mirror.status()).toMatchObject({ blobs: 3, disk: { used: 3 * MiB } });
  });
});

describe("a database that cannot be read", () => {
  const fault = new GranaryError("store-damaged", "The metadata failed: SQLITE_IOERR_READ, EIO.");

  it("is asked around: tags, manifests and blobs come from the registry, and what is on the disk from there", async () => {
    const { world, faults } = await faultyWorld();
    const image = world.fake.addImage("a/b", "1", { layers: [300_000] });
    const [layer = ""] = image.layerDigests;
    await world.get("a/b", "1");
    await world.read("a/b", layer);
    await world.fills(0);
    await world.restart();
    faults().read = fault;
    expect((await world.get("a/b", "1")).manifest.digest).toBe(image.manifestDigest);
    expect(await world.read("a/b", layer)).toHaveLength(300_000);
    expect(world.fake.bytesSentFor(layer)).toBe(300_000);
    expect((await world.mirror.status()).troubles).toEqual([expect.stringContaining("cannot be read")]);
  });

  it("permits nothing: private content stays private, and a digest says nothing about a repository", async () => {
    const { world, faults } = await faultyWorld({
      mode: "hub",
      settings: { users: { granary: "hunter2" }, privateRepositories: new Set(["alice/secret"]) },
      upstream: { credentials, policy: { offlineDeadlineMs: 20_000 } },
    });
    const secret = world.fake.addImage("alice/secret", "1", { layers: [200], seed: 7 });
    const [layer = ""] = secret.layerDigests;
    world.fake.addImage("library/alpine", "3", { layers: [100] });
    await world.get("alice/secret", "1", loggedIn);
    await world.read("alice/secret", layer, undefined, loggedIn);
    await expect(world.get("alice/secret", "1")).rejects.toMatchObject({ code: "not-found" });
    await world.get("library/alpine", "3");
    await world.fills(0);
    for (const isDown of [false, true]) {
      await world.restart(async () => {
        if (isDown) await world.fake.pause();
      });
      faults().read = fault;
      faults().write = fault;
      await expect(world.get("alice/secret", "1")).rejects.toThrow();
      await expect(world.read("alice/secret", layer)).rejects.toThrow();
      await expect(world.read("library/alpine", layer)).rejects.toThrow();
      if (!isDown) expect((await world.get("library/alpine", "3")).manifest).toBeDefined();
    }
  });

  it("makes no file an orphan: what lies in the store is neither forgotten nor removed at a start", async () => {
    const { world, faults } = await faultyWorld();
    const digest = world.fake.addGeneratedBlob({ seed: 1, size: 300_000 });
    await world.read("a/b", digest);
    await world.fills(0);
    faults().read = fault;
    expect(await world.read("a/b", digest)).toHaveLength(300_000);
    await world.restart();
    expect((await world.mirror.status()).blobs).toBe(1);
    expect(world.fake.bytesSentFor(digest)).toBe(300_000);
  });
});

describe("a disk that does not tell how full it is", () => {
  it("keeps nobody from anything: only the budget counts then", async () => {
    const failing = () => Promise.reject(new GranaryError("store-damaged", "Failed while looking: EIO."));
    const world = await startWorld({
      budget: { maxSize: 2 ** 30, minFree: 2 ** 20 },
      blobs: (real) => ({ ...real, disk: failing }),
      spool: (real) => ({
        rangesOf: (key) => real.rangesOf(key),
        openPartial: (key, size) => real.openPartial(key, size),
        remove: (digest) => real.remove(digest),
        list: failing,
      }),
    });
    const digest = world.fake.addGeneratedBlob({ seed: 1, size: 300_000 });
    expect(await world.read("a/b", digest)).toHaveLength(300_000);
    await world.fills(0);
    expect((await world.stat("a/b", digest)).outcome).toBe("hit");
    expect((await world.mirror.status()).troubles).toHaveLength(3);
  });

  it("or has no size to tell, as some over a network, likewise", async () => {
    const world = await startWorld({
      budget: { maxSize: 2 ** 30, minFree: 2 ** 20 },
      blobs: (real) => ({ ...real, disk: async () => ({ free: 0, size: 0 }) }),
    });
    const digest = world.fake.addGeneratedBlob({ seed: 1, size: 300_000 });
    await world.read("a/b", digest);
    expect(await world.metric("bypasses_total")).toBe(0);
  });
});

describe("a disk on which nothing may be kept", () => {
  it.each([
    [
      "smaller than storage.minFree",
      { free: 90, size: 100 },
      /storage\.minFree \(.*\) is more than the disk has/,
    ],
    [
      "full of other things",
      { free: 1, size: 10_000 },
      /The disk is full of other things.*lower storage\.minFree/,
    ],
  ])(
    "%s: says so, keeps what it has where evicting helps nobody, and serves all the same",
    async (name, disk, text) => {
      const MiB = 2 ** 20;
      let shown = { free: 10_000 * MiB, size: 10_000 * MiB };
      const world = await startWorld({
        budget: { maxSize: 2 ** 40, minFree: 5_000 * MiB },
        blobs: (real) => ({ ...real, disk: async () => shown }),
      });
      const [old, fresh] = [1, 2].map((seed) => world.fake.addGeneratedBlob({ seed, size: MiB }));
      await world.read("a/b", old ?? "");
      await world.fills(0);
      shown = { free: disk.free * MiB, size: disk.size * MiB };
      expect(await world.read("a/b", fresh ?? "")).toHaveLength(MiB);
      expect(await world.metric("bypasses_total")).toBe(1);
      expect((await world.mirror.status()).troubles).toEqual([expect.stringMatching(text)]);
      if (name.startsWith("smaller")) expect((await world.stat("a/b", old ?? "")).outcome).toBe("hit");
      shown = { free: 10_000 * MiB, size: 10_000 * MiB };
      expect((await world.mirror.status()).troubles).toEqual([]);
    },
  );
});
