/** Shows blobs from the upstream to the reader: once, exact, verified, resumed, healed; and that every pin is let go. */
import { chmod, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import type { Metadata } from "../../../src/metadata/metadata.ts";
import { type Digest, digestOf } from "../../../src/oci/digest.ts";
import { OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import type { StoredBlob } from "../../../src/store/blob-store.ts";
import { MiB, type MirrorWorld, readAll, startWorld } from "../../support/mirror-world.ts";
import { eventually } from "../../support/patience.ts";
import { firstDifference } from "../../support/pattern.ts";

const SEED = 5;
const policy = { smallBlob: 256 * 1024, firstSegment: 256 * 1024, largestSegment: MiB };

async function worldWithBlob(size: number, options: Parameters<typeof startWorld>[0] = {}) {
  const world = await startWorld({ upstream: { policy }, ...options });
  return { world, digest: world.fake.addGeneratedBlob({ seed: SEED, size }) };
}

/** Publishes an image whose one layer is described with `stated` bytes, and pulls its manifest. */
async function pullManifestStating(world: MirrorWorld, digest: Digest, stated: number): Promise<void> {
  const layers = [{ mediaType: "x/y", digest, size: stated }];
  const text = JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: layers[0], layers });
  world.fake.addManifest("a/b", "1", Buffer.from(text), OCI_MANIFEST);
  await world.get("a/b", "1");
}

function expectPattern(bytes: Uint8Array, size: number, offset = 0): void {
  expect(bytes).toHaveLength(size);
  expect(firstDifference(SEED, offset, bytes)).toBeUndefined();
}

/** What a bad sector says. */
function ioError(code = "EIO"): GranaryError {
  const cause = Object.assign(new Error(`${code}: it failed`), { code });
  return new GranaryError("store-damaged", `Failed while reading: ${code}.`, { cause });
}

/** `stored`, of which nothing can be read any more while its digest is in `bad`. */
function failingAt(stored: StoredBlob | undefined, bad: ReadonlySet<string>): StoredBlob | undefined {
  if (stored === undefined) return undefined;
  const { digest } = stored;
  const read: StoredBlob["read"] = (offset, into) =>
    bad.has(digest) ? Promise.reject(ioError()) : stored.read(offset, into);
  return { ...stored, read, close: () => stored.close() };
}

describe("a cold blob", () => {
  it("is one upstream transfer for eight readers, and a ninth gets it from disk", async () => {
    const { world, digest } = await worldWithBlob(6 * MiB + 17);
    const bodies = await Promise.all(Array.from({ length: 8 }, () => world.read("a/b", digest)));
    for (const body of bodies) expectPattern(body, 6 * MiB + 17);
    await world.fills(0);
    expect((await world.open("a/b", digest).then(closed)).outcome).toBe("hit");
    expect(world.fake.bytesSentFor(digest)).toBe(6 * MiB + 17);
  });

  it("goes on for the others when one leaves, and when one stops reading", async () => {
    const { world, digest } = await worldWithBlob(3 * MiB);
    const leaving = await world.open("a/b", digest);
    const stuck = await world.open("a/b", digest);
    const readers = [leaving.blob.reader(), stuck.blob.reader()];
    for (const reader of readers) expect(await reader.read(new Uint8Array(100))).toBe(100);
    readers[0]?.close();
    leaving.blob.release();
    expectPattern(await world.read("a/b", digest), 3 * MiB);
    readers[1]?.close();
    stuck.blob.release();
    expect(world.fake.bytesSentFor(digest)).toBe(3 * MiB);
  });

  it("leaves a part behind when the last reader leaves, and goes on from it", async () => {
    const settings = { bandwidth: { registry: 8 * MiB, cdn: undefined } };
    const { world, digest } = await worldWithBlob(8 * MiB, { settings });
    const { blob } = await world.open("a/b", digest);
    const reader = blob.reader();
    let got = 0;
    while (got < MiB) got += await reader.read(new Uint8Array(256 * 1024));
    reader.close();
    blob.release();
    await world.fills(0);
    const [part] = await world.store.spool.list();
    expect(part?.present).toBeGreaterThanOrEqual(MiB);
    expect(part?.present).toBeLessThan(8 * MiB);
    world.fake.settings.bandwidth.registry = undefined;
    expectPattern(await world.read("a/b", digest), 8 * MiB);
    expect(world.fake.bytesSentFor(digest)).toBeLessThan(8.5 * MiB);
  });

  it("survives cuts in mid-body: the reader notices only a pause", async () => {
    const { world, digest } = await worldWithBlob(3 * MiB);
    world.fake.fail(/blobs/, { kind: "cut", afterBytes: 100_000 }, { method: "GET", times: 4 });
    expectPattern(await world.read("a/b", digest), 3 * MiB);
  });

  it("that the upstream cannot finish fails its readers, and is finished later from what is there", async () => {
    const { world, digest } = await worldWithBlob(2 * MiB);
    await world.stat("a/b", digest);
    world.fake.fail(/blobs/, { kind: "cut", afterBytes: 300_000 }, { method: "GET" });
    world.fake.fail(/blobs/, { kind: "status", status: 500 }, { method: "GET", times: 100 });
    await expect(world.read("a/b", digest)).rejects.toMatchObject({ code: "upstream-unavailable" });
    expect(await world.store.blobs.stat(digest)).toBeUndefined();
    world.fake.faults.length = 0;
    world.clock.aheadMs += 60_000;
    expectPattern(await world.read("a/b", digest), 2 * MiB);
  });

  it.each([
    ["wrong bytes", { kind: "flip", offset: 70_000 }],
    ["a body that ends early and cleanly", { kind: "short", afterBytes: 1000, framing: "wrong-length" }],
    ["a longer body", { kind: "extra", bytes: 10, framing: "length" }],
  ] as const)(
    "%s: never the whole of a wrong blob, nothing wrong kept, right at the next ask",
    async (_name, fault) => {
      const { world, digest } = await worldWithBlob(200_000);
      await world.stat("a/b", digest);
      world.fake.fail(/blobs/, fault, { method: "GET", times: 1 });
      const first = await world.read("a/b", digest).catch((error: unknown) => error);
      // Either the fault was overcome, or the reader failed: there is no third way.
      if (first instanceof Buffer) expectPattern(first, 200_000);
      else expect(first).toBeInstanceOf(GranaryError);
      expectPattern(await world.read("a/b", digest), 200_000);
      await world.fills(0);
      expect(digestOf(await readFile(world.store.layout.blob(digest)))).toBe(digest);
    },
  );

  it("HEAD costs no blob byte but one upstream HEAD, also where a manifest states the size", async () => {
    const world = await startWorld();
    const { layerDigests } = world.fake.addImage("a/b", "1", { layers: [5_000_000] });
    const [layer = ""] = layerDigests;
    const unlisted = world.fake.addGeneratedBlob({ seed: 9, size: 77 });
    await world.get("a/b", "1");
    world.fake.forgetRequests();
    for (let pass = 0; pass < 2; pass++)
      expect(await world.stat("a/b", layer)).toMatchObject({ size: 5_000_000, outcome: "miss" });
    expect(world.fake.requests.map(({ method }) => method)).toEqual(["HEAD"]);
    world.fake.forgetRequests();
    const stats = await Promise.all(Array.from({ length: 5 }, () => world.stat("a/b", unlisted)));
    expect(new Set(stats.map(({ size }) => size))).toEqual(new Set([77]));
    expect(world.fake.requests.map(({ method }) => method)).toEqual(["HEAD"]);
  });

  it("an opened blob that nobody reads asks the upstream for no byte", async () => {
    const { world, digest } = await worldWithBlob(MiB);
    closed(await world.open("a/b", digest));
    expect(world.fake.count({ method: "GET" })).toBe(0);
  });

  it("the tail comes without the rest", async () => {
    const settings = { bandwidth: { registry: 4 * MiB, cdn: undefined } };
    const { world, digest } = await worldWithBlob(40 * MiB, { settings });
    const range = { start: 40 * MiB - 1024, end: 40 * MiB };
    expectPattern(await world.read("a/b", digest, range), 1024, range.start);
    await world.fills(0);
    expect(world.fake.bytesSentFor(digest)).toBeLessThan(2 * MiB);
  });

  it("of no bytes at all is served and kept", async () => {
    const { world } = await worldWithBlob(1);
    const empty = world.fake.addBlob(Buffer.alloc(0));
    expect(await world.read("a/b", empty)).toHaveLength(0);
    await world.fills(0);
    expect(await world.stat("a/b", empty)).toMatchObject({ size: 0, outcome: "hit" });
  });

  it("goes back to the registry when the signed target has expired", async () => {
    const settings = { getBlob: "redirect", bandwidth: { registry: undefined, cdn: 20 * MiB } } as const;
    const { world, digest } = await worldWithBlob(4 * MiB, { settings });
    const { blob } = await world.open("a/b", digest);
    const reader = blob.reader();
    await reader.read(new Uint8Array(1000));
    world.fake.advance(21 * 60_000);
    expect(await readAll(reader)).toHaveLength(4 * MiB - 1000);
    reader.close();
    blob.release();
    expect(world.fake.count({ origin: "cdn", status: 403 })).toBeGreaterThan(0);
    expect(world.fake.violations).toEqual([]);
  });

  it("a part survives a restart of the process, and is not fetched again", async () => {
    const { world, digest } = await worldWithBlob(4 * MiB);
    const range = { start: 0, end: MiB };
    expectPattern(await world.read("a/b", digest, range), MiB);
    await world.restart();
    expectPattern(await world.read("a/b", digest), 4 * MiB);
    expect(world.fake.bytesSentFor(digest)).toBe(4 * MiB);
  });

  it("that is not there is not-found, with its pin let go", async () => {
    const { world } = await worldWithBlob(1);
    const absent = digestOf(Buffer.from("absent"));
    world.fake.contents.repository("a/b");
    await expect(world.read("a/b", absent)).rejects.toMatchObject({ code: "not-found" });
    expect((await world.mirror.status()).pins).toBe(0);
  });
});

describe("a wrong size", () => {
  it.each([
    ["too small", 999_000],
    ["too large", 1_000_001],
    ["zero", 0],
  ])("%s in a descriptor heals by itself (F2)", async (_name, stated) => {
    const { world, digest } = await worldWithBlob(1_000_000);
    await pullManifestStating(world, digest, stated);
    // One that cannot be is not believed at all.
    if (stated > 0) await expect(world.read("a/b", digest)).rejects.toBeInstanceOf(GranaryError);
    expectPattern(await world.read("a/b", digest), 1_000_000);
    expect(await world.stat("a/b", digest)).toMatchObject({ size: 1_000_000 });
  });

  it("in a descriptor is not told to who asks by HEAD: the registry's answer with bytes settles it", async () => {
    const { world, digest } = await worldWithBlob(1_000_000);
    await pullManifestStating(world, digest, 999_000);
    expect(await world.stat("a/b", digest)).toMatchObject({ size: 1_000_000 });
    expectPattern(await world.read("a/b", digest), 1_000_000);
  });

  it("heals also where there is no room for the blob (F16)", async () => {
    const budget = { maxSize: 1000, minFree: 0 };
    const { world, digest } = await worldWithBlob(1_000_000, { budget });
    await pullManifestStating(world, digest, 999_000);
    await expect(world.read("a/b", digest)).rejects.toMatchObject({ code: "size-mismatch" });
    expectPattern(await world.read("a/b", digest), 1_000_000);
  });

  it("of a stored blob does not matter (F2)", async () => {
    const { world, digest } = await worldWithBlob(1_000_000);
    await world.read("a/b", digest);
    await world.fills(0);
    await pullManifestStating(world, digest, 5);
    expect(await world.stat("a/b", digest)).toMatchObject({ size: 1_000_000, outcome: "hit" });
    expectPattern(await world.read("a/b", digest), 1_000_000);
    expect(world.fake.bytesSentFor(digest)).toBe(1_000_000);
  });

  it("a blob opened with another size than the running fill's is not read as if it had that size (F2)", async () => {
    const { world, digest } = await worldWithBlob(1_000_000);
    await pullManifestStating(world, digest, 999_000);
    const wrong = await world.open("a/b", digest);
    const right = await world.open("a/other", digest);
    expect([wrong.blob.size, right.blob.size]).toEqual([999_000, 1_000_000]);
    const rightReader = right.blob.reader();
    const wrongReader = wrong.blob.reader();
    await expect(readAll(wrongReader)).rejects.toMatchObject({ code: "size-mismatch" });
    expectPattern(await readAll(rightReader), 1_000_000);
    for (const reader of [wrongReader, rightReader]) reader.close();
    for (const { blob } of [wrong, right]) blob.release();
  });
});

describe("a damaged file", () => {
  async function damage(world: MirrorWorld, digest: Digest, size: number): Promise<void> {
    await world.fills(0);
    const path = world.store.layout.blob(digest);
    await chmod(path, 0o600);
    await truncate(path, size);
  }

  it("that was cut off before it is opened is dropped and fetched again", async () => {
    const { world, digest } = await worldWithBlob(300_000);
    await world.read("a/b", digest);
    await damage(world, digest, 1000);
    expect(await world.stat("a/b", digest)).toMatchObject({ size: 300_000, outcome: "miss" });
    expectPattern(await world.read("a/b", digest), 300_000);
    expect(world.fake.bytesSentFor(digest)).toBe(600_000);
  });

  it("that is cut off while it is read does not end the reader: the rest is fetched again (F2)", async () => {
    const { world, digest } = await worldWithBlob(300_000);
    await world.read("a/b", digest);
    await world.fills(0);
    const { blob } = await world.open("a/b", digest);
    const reader = blob.reader();
    await reader.read(new Uint8Array(500));
    await damage(world, digest, 1000);
    expectPattern(await readAll(reader), 299_500, 500);
    reader.close();
    blob.release();
    await world.fills(0);
    expectPattern(await world.read("a/b", digest), 300_000);
    expect(world.fake.bytesSentFor(digest)).toBe(600_000);
  });

  it.each([undefined, { start: 1000, end: 290_000 }])(
    "that the disk gives no more of is fetched again, and the reader of %j goes on (F2)",
    async (range) => {
      const bad = new Set<string>();
      const { world, digest } = await worldWithBlob(300_000, {
        blobs: (real) => ({ ...real, open: async (each) => failingAt(await real.open(each), bad) }),
      });
      await world.read("a/b", digest);
      await world.fills(0);
      const { blob } = await world.open("a/b", digest);
      const reader = blob.reader(range);
      const start = range?.start ?? 0;
      const first = await reader.read(new Uint8Array(500));
      bad.add(digest);
      expectPattern(await readAll(reader), (range?.end ?? 300_000) - start - first, start + first);
      reader.close();
      blob.release();
      bad.clear();
      await world.fills(0);
      expectPattern(await world.read("a/b", digest), 300_000);
    },
  );

  it("that can be neither read nor moved away is passed through", async () => {
    const bad = new Set<string>();
    const { world, digest } = await worldWithBlob(300_000, {
      blobs: (real) => ({
        ...real,
        open: async (each) => failingAt(await real.open(each), bad),
        remove: (each) => (bad.has(each) ? Promise.reject(ioError()) : real.remove(each)),
        setAside: (each) => (bad.has(each) ? Promise.reject(ioError()) : real.setAside(each)),
      }),
    });
    await world.read("a/b", digest);
    await world.fills(0);
    bad.add(digest);
    for (let round = 0; round < 2; round++) expectPattern(await world.read("a/b", digest), 300_000);
    expect(await world.metric("bypasses_total")).toBe(2);
  });

  it("that is another user's is fetched again; one that could not be opened for want of descriptors is kept", async () => {
    let code = "EMFILE";
    const { world, digest } = await worldWithBlob(300_000, {
      blobs: (real) => ({
        ...real,
        open: async (each) => {
          const stored = await real.open(each);
          if (stored === undefined || code === "") return stored;
          await stored.close();
          throw ioError(code);
        },
      }),
    });
    code = "";
    await world.read("a/b", digest);
    await world.fills(0);
    code = "EMFILE";
    expectPattern(await world.read("a/b", digest), 300_000);
    expect(await world.store.blobs.stat(digest)).toEqual({ size: 300_000 });
    code = "EACCES";
    const { blob } = await world.open("a/b", digest);
    blob.release();
    expect(await world.store.blobs.stat(digest)).toBeUndefined();
  });

  it("that somebody else has mended meanwhile is not dropped again", async () => {
    const { world, digest } = await worldWithBlob(300_000);
    await world.read("a/b", digest);
    await world.fills(0);
    const { blob } = await world.open("a/b", digest);
    const late = blob.reader();
    await damage(world, digest, 1000);
    expectPattern(await world.read("a/b", digest), 300_000);
    await world.fills(0);
    expectPattern(await readAll(late), 300_000);
    late.close();
    blob.release();
    await world.fills(0);
    expect((await world.open("a/b", digest).then(closed)).outcome).toBe("hit");
    expect(world.fake.bytesSentFor(digest)).toBe(600_000);
  });

  it("a symbolic link in a blob's place is not followed, and goes", async () => {
    const { world, digest } = await worldWithBlob(300_000);
    await world.read("a/b", digest);
    await world.fills(0);
    const path = world.store.layout.blob(digest);
    await writeFile(`${world.store.layout.directory}/elsewhere`, "x".repeat(300_000));
    await rm(path);
    await symlink(`${world.store.layout.directory}/elsewhere`, path);
    expect(await world.stat("a/b", digest)).toMatchObject({ outcome: "miss" });
    expectPattern(await world.read("a/b", digest), 300_000);
  });
});

describe("pins (F12)", () => {
  it("the pin is held before the first look-up", async () => {
    const held: number[] = [];
    let world: MirrorWorld | undefined;
    const look = async () => {
      if (world !== undefined) held.push((await world.mirror.status()).pins);
    };
    const spied = await worldWithBlob(1000, {
      metadata: (real) => ({ ...real, link: (...ask) => look().then(() => real.link(...ask)) }),
      blobs: (real) => ({ ...real, open: (digest) => look().then(() => real.open(digest)) }),
    });
    world = spied.world;
    await world.read("a/b", spied.digest);
    expect(held.length).toBeGreaterThanOrEqual(2);
    expect(new Set(held)).toEqual(new Set([1]));
  });

  it("is let go when the reader ended, left in the middle, was parked, or never began; and only once", async () => {
    const { world, digest } = await worldWithBlob(2 * MiB);
    world.fake.fail(/blobs/, { kind: "stall", afterBytes: 1000 }, { method: "GET", times: 100 });
    const [parked, unread, unopened] = await Promise.all([1, 2, 3].map(() => world.open("a/b", digest)));
    if (parked === undefined || unread === undefined || unopened === undefined) throw new Error("not opened");
    const parkedReader = parked.blob.reader({ start: MiB, end: 2 * MiB });
    const waiting = readAll(parkedReader);
    const unreadReader = unread.blob.reader();
    expect((await world.mirror.status()).pins).toBe(1);
    await eventually(async () => expect((await world.mirror.status()).fills[0]?.waits).toBe(1));
    parkedReader.close();
    await expect(waiting).rejects.toMatchObject({ code: "closed" });
    unreadReader.close();
    for (const { blob } of [parked, unread]) {
      blob.release();
      blob.release();
    }
    expect((await world.mirror.status()).pins).toBe(1);
    unopened.blob.release();
    expect((await world.mirror.status()).pins).toBe(0);
  });

  it("of a stored blob is let go together with its file, also when nobody read", async () => {
    const { world, digest } = await worldWithBlob(1000);
    await world.read("a/b", digest);
    await world.fills(0);
    const opened = await Promise.all(Array.from({ length: 5 }, () => world.open("a/b", digest)));
    const reader = opened[0]?.blob.reader();
    await reader?.read(new Uint8Array(10));
    reader?.close();
    for (const { blob } of opened) blob.release();
    await eventually(async () => expect((await world.mirror.status()).pins).toBe(0));
    expect((await world.openFiles()).filter((path) => path.includes("/blobs/"))).toEqual([]);
  });
});

describe("last use", () => {
  it("a hit writes nothing to the database; uses go there in batches", async () => {
    const writes: string[] = [];
    const { world, digest } = await worldWithBlob(1000, { metadata: (real) => counted(real, writes) });
    world.fake.addImage("a/b", "1", { layers: [10] });
    await world.get("a/b", "1");
    await world.read("a/b", digest);
    await world.fills(0);
    await eventually(() => expect(writes).toContain("touch"));
    writes.length = 0;
    for (let hit = 0; hit < 50; hit++) {
      await world.get("a/b", "1");
      await world.head("a/b", "1");
      await world.stat("a/b", digest);
      await world.read("a/b", digest);
    }
    expect(writes.filter((name) => name !== "touch")).toEqual([]);
    await eventually(() => expect(writes).toContain("touch"));
    expect(writes.length).toBeLessThan(50);
  });

  it("reaches the database at the latest when the mirror closes", async () => {
    const { world, digest } = await worldWithBlob(1000);
    await world.read("a/b", digest);
    await world.fills(0);
    world.clock.aheadMs += 60_000;
    const usedAt = world.clock.now();
    await world.read("a/b", digest);
    await world.restart();
    expect((await world.metadata.blob(digest))?.usedAt).toBeGreaterThanOrEqual(usedAt);
  });
});

describe("closing", () => {
  it("ends readers with closed, keeps what is there, and takes no new work", async () => {
    const settings = { bandwidth: { registry: 4 * MiB, cdn: undefined } };
    const { world, digest } = await worldWithBlob(8 * MiB, { settings });
    const early = await world.open("a/b", digest);
    const { blob } = await world.open("a/b", digest);
    const reader = blob.reader();
    await reader.read(new Uint8Array(1000));
    const { mirror } = world;
    const reading = readAll(reader);
    const closing = mirror.close(2_000);
    await expect(reading).rejects.toMatchObject({ code: "closed" });
    await expect(mirror.manifest(tagTarget(), ask())).rejects.toMatchObject({ code: "closed" });
    const late = early.blob.reader();
    await expect(readAll(late)).rejects.toMatchObject({ code: "closed" });
    reader.close();
    late.close();
    blob.release();
    early.blob.release();
    await closing;
    await mirror.close(2_000);
    await world.stop();
    // A busy machine may let go of the file after the deadline.
    await eventually(async () => expect((await world.store.spool.list())[0]?.present).toBeGreaterThan(0));
  });

  it("closes everything also when the last uses cannot be written", async () => {
    const { world, digest } = await worldWithBlob(1000, {
      metadata: (real) => ({
        ...real,
        touch: () => Promise.reject(new GranaryError("store-full", "The disk has no room.")),
      }),
    });
    await world.read("a/b", digest);
    await world.fills(0);
    await world.stop();
    // The end of the test looks for open files and connections.
  });
});

function closed<T extends { blob: { release(): void } }>(answer: T): T {
  answer.blob.release();
  return answer;
}

function tagTarget() {
  return { kind: "manifest", upstream: "fake.test", repository: "a/b", reference: { tag: "1" } } as const;
}

function ask() {
  return { loggedIn: false, userAgent: undefined, accept: [] };
}

/** Notes the name of every method that writes. */
function counted(real: Metadata, writes: string[]): Metadata {
  const noting = <A extends unknown[]>(name: string, method: (...args: A) => Promise<void>) => {
    return (...args: A) => {
      writes.push(name);
      return method(...args);
    };
  };
  return {
    ...real,
    recordBlob: noting("recordBlob", real.recordBlob),
    forgetBlobs: noting("forgetBlobs", real.forgetBlobs),
    touch: noting("touch", real.touch),
    recordManifest: noting("recordManifest", real.recordManifest),
    recordTag: noting("recordTag", real.recordTag),
    forgetTag: noting("forgetTag", real.forgetTag),
    recordLink: noting("recordLink", real.recordLink),
    recordVisibility: noting("recordVisibility", real.recordVisibility),
    recordList: noting("recordList", real.recordList),
  };
}
