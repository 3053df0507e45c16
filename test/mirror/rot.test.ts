/** Shows that a disk that lies, or a person who writes into the store, makes nobody finish a wrong blob or manifest (F18). */
import { execFileSync } from "node:child_process";
import { constants } from "node:fs";
import { chmod, mkdir, open, readdir, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import Sqlite from "better-sqlite3";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Digest } from "../../src/oci/digest.ts";
import { MiB, type MirrorWorld, readAll, startWorld } from "../support/mirror-world.ts";
import { eventually } from "../support/patience.ts";
import { digestOfPattern, firstDifference, patternBytes } from "../support/pattern.ts";

const SEED = 9;
const SMALL = 300_000;
const LARGE = 9 * MiB;

async function worldWithBlob(size: number, options: Parameters<typeof startWorld>[0] = {}) {
  const world = await startWorld(options);
  const digest = world.fake.addGeneratedBlob({ seed: SEED, size });
  return { world, digest };
}

async function stored(world: MirrorWorld, digest: Digest): Promise<void> {
  await world.read("a/b", digest);
  await world.fills(0);
}

/** Four bytes of the blob's file are others from now on; `silently` as a disk does it, which dates nothing. */
async function rot(world: MirrorWorld, digest: Digest, at: number, silently = false): Promise<void> {
  const path = world.store.layout.blob(digest);
  const before = await stat(path);
  await chmod(path, 0o640);
  const file = await open(path, constants.O_RDWR);
  await file.write(Buffer.from("rot!"), 0, 4, at);
  await file.close();
  if (silently) await utimes(path, before.atime, before.mtime);
}

function expectPattern(bytes: Uint8Array, size: number, offset = 0): void {
  expect(bytes).toHaveLength(size);
  expect(firstDifference(SEED, offset, bytes)).toBeUndefined();
}

/** What the reader gets in the end: all of it right, or an error; never the end of something wrong. */
async function outcomeOf(reading: Promise<Buffer>, size: number): Promise<"right" | "broken off"> {
  const bytes = await reading.catch((error: unknown) => {
    expect(error).toMatchObject({ code: "digest-mismatch" });
    return undefined;
  });
  if (bytes === undefined) return "broken off";
  expectPattern(bytes, size);
  return "right";
}

const damaged = (world: MirrorWorld) =>
  readdir(join(world.store.layout.directory, "damaged")).catch(() => []);

describe("four bytes of a stored blob are overwritten", () => {
  it("a small one is healed before anybody notices: set aside, counted, told, fetched again (F18)", async () => {
    const { world, digest } = await worldWithBlob(SMALL);
    await stored(world, digest);
    expect((await world.mirror.status()).troubles).toEqual([]);
    await rot(world, digest, SMALL - 10);
    expectPattern(await world.read("a/b", digest), SMALL);
    await world.fills(0);
    expect(await damaged(world)).toEqual([`${digest.replace(":", "-")}.1`]);
    expect(await world.metric("damaged_total")).toBe(1);
    expect((await world.mirror.status()).troubles).toEqual([expect.stringContaining('"damaged"')]);
    expect(world.fake.bytesSentFor(digest)).toBe(2 * SMALL);
    expectPattern(await world.read("a/b", digest), SMALL);
    expect(world.fake.bytesSentFor(digest)).toBe(2 * SMALL);
    await rm(join(world.store.layout.directory, "damaged"), { recursive: true });
    expect((await world.mirror.status()).troubles).toEqual([]);
  });

  it.each([100, LARGE / 2, LARGE - 1000])(
    "in a process that has not read it yet, at byte %i of a large one: whoever gets it whole gets it right (F18)",
    async (at) => {
      const { world, digest } = await worldWithBlob(LARGE);
      await stored(world, digest);
      await world.restart(() => rot(world, digest, at, true));
      const [first, second] = await Promise.all(
        [1, 2].map(() => outcomeOf(world.read("a/b", digest), LARGE)),
      );
      expect([first, second]).toContain("broken off");
      expect(await outcomeOf(world.read("a/b", digest), LARGE)).toBe("right");
      await world.fills(0);
      expect(await damaged(world)).toHaveLength(1);
      expect(world.fake.bytesSentFor(digest)).toBe(2 * LARGE);
    },
  );

  it.each([
    ["that is known to be right when the slow client begins", false],
    ["that nobody has read before", true],
  ])("while a slow client reads one %s: its body has no end (F18)", async (_, isFirst) => {
    const { world, digest } = await worldWithBlob(LARGE);
    await stored(world, digest);
    if (isFirst) await world.restart();
    else await world.read("a/b", digest);
    for (const at of [1000, LARGE - 1000]) {
      const { blob } = await world.open("a/b", digest);
      const reader = blob.reader();
      await reader.read(new Uint8Array(MiB));
      // The first is in what it has been given, the other in what it has yet to get.
      await rot(world, digest, at);
      await expect(readAll(reader)).rejects.toMatchObject({ code: "digest-mismatch" });
      reader.close();
      blob.release();
      expect(await outcomeOf(world.read("a/b", digest), LARGE)).toBe("right");
      await world.fills(0);
    }
  });

  it("while a slow client reads what was just fetched for it: its body has no end (F18)", async () => {
    const { world, digest } = await worldWithBlob(LARGE, { upstream: { policy: { finish: true } } });
    const { blob } = await world.open("a/b", digest);
    const reader = blob.reader();
    await reader.read(new Uint8Array(1000));
    await world.fills(0);
    await rot(world, digest, LARGE / 2);
    await expect(readAll(reader)).rejects.toMatchObject({ code: "digest-mismatch" });
    reader.close();
    blob.release();
    await outcomeOf(world.read("a/b", digest), LARGE);
    expect(await outcomeOf(world.read("a/b", digest), LARGE)).toBe("right");
  });

  it("is found also when clients only ask for ranges of it, and nobody for the whole", async () => {
    const { world, digest } = await worldWithBlob(LARGE);
    await stored(world, digest);
    await world.restart(() => rot(world, digest, LARGE / 2, true));
    expectPattern(await world.read("a/b", digest, { start: 10, end: 1010 }), 1000, 10);
    await eventually(async () => expect(await damaged(world)).toHaveLength(1));
    expectPattern(await world.read("a/b", digest, { start: LARGE / 2, end: LARGE / 2 + 10 }), 10, LARGE / 2);
  });

  it("and the file cannot be read to its end either: right bytes after wrong ones make no right blob (F18)", async () => {
    const { world, digest } = await worldWithBlob(LARGE);
    await stored(world, digest);
    await world.restart();
    const { blob } = await world.open("a/b", digest);
    const reader = blob.reader();
    await rot(world, digest, 1000);
    await reader.read(new Uint8Array(MiB));
    const file = await open(world.store.layout.blob(digest), constants.O_RDWR);
    await file.truncate(2 * MiB);
    await file.close();
    await expect(readAll(reader)).rejects.toMatchObject({ code: expect.stringMatching(/damaged|mismatch/) });
    reader.close();
    blob.release();
  });

  it("a damaged file counts against the budget, and goes first when room is needed", async () => {
    const budget = { maxSize: 3 * SMALL, minFree: 0 };
    const { world, digest } = await worldWithBlob(SMALL, { budget });
    await stored(world, digest);
    await rot(world, digest, 10);
    await stored(world, digest);
    expect((await world.mirror.status()).disk.used).toBe(2 * SMALL);
    const others = [1, 2].map((seed) => world.fake.addGeneratedBlob({ seed, size: SMALL }));
    for (const other of others) {
      await world.read("a/b", other);
      await world.fills(0);
    }
    expect(await damaged(world)).toEqual([]);
    expect((await world.mirror.status()).blobs).toBe(3);
  });
});

describe("a stored manifest that the database gives back wrong", () => {
  it("is fetched again, and is an error when the upstream is gone", async () => {
    const world = await startWorld();
    world.fake.addImage("a/b", "1", { layers: [10] });
    const { digest } = (await world.get("a/b", "1")).manifest;
    const spoil = async () => {
      const database = new Sqlite(world.store.layout.database);
      database.prepare("UPDATE manifests SET bytes = CAST(replace(bytes, 'layers', 'layerz') AS BLOB)").run();
      database.close();
    };
    await world.restart(spoil);
    expect((await world.get("a/b", "1")).manifest.digest).toBe(digest);
    expect(await world.metric("damaged_total")).toBe(1);
    await world.restart(spoil);
    world.fake.fail(/./, { kind: "status", status: 503 }, { times: 1_000 });
    await expect(world.get("a/b", digest)).rejects.toMatchObject({ code: "upstream-unavailable" });
  });
});

describe("after the database is lost", () => {
  const lose = (world: MirrorWorld) =>
    world.restart(async () => {
      for (const end of ["", "-wal", "-shm"])
        await rm(`${world.store.layout.database}${end}`, { force: true });
    });

  it.each([
    ["of the right size", (size: number) => size],
    ["shorter than it", (size: number) => size - 100_000],
  ])("a file %s counts for nothing by the name that it bears", async (_, sizeOf) => {
    const { world, digest } = await worldWithBlob(LARGE);
    const other = world.fake.addGeneratedBlob({ seed: SEED + 1, size: LARGE });
    for (const each of [digest, other]) await stored(world, each);
    for (const each of [digest, other]) {
      await chmod(world.store.layout.blob(each), 0o640);
      await writeFile(world.store.layout.blob(each), patternBytes(77, 0, sizeOf(LARGE)));
    }
    await lose(world);
    expect(await world.stat("a/b", digest)).toMatchObject({ size: LARGE });
    // Not even a range of it is given away, and whoever has got nothing yet gets all of it right.
    expectPattern(await world.read("a/b", digest, { start: MiB, end: MiB + 1000 }), 1000, MiB);
    const whole = await world.read("a/b", other).catch(() => undefined);
    if (whole !== undefined) expect(firstDifference(SEED + 1, 0, whole)).toBeUndefined();
    await world.fills(0);
    expect(await damaged(world)).toHaveLength(2);
  });

  it("what is sound is served from the disk all the same, to whole readers and to others", async () => {
    const { world, digest } = await worldWithBlob(LARGE);
    await stored(world, digest);
    await lose(world);
    expectPattern(await world.read("a/b", digest, { start: MiB, end: MiB + 1000 }), 1000, MiB);
    expectPattern(await world.read("a/b", digest), LARGE);
    expect(world.fake.bytesSentFor(digest)).toBe(LARGE);
    expect((await world.metadata.blob(digest))?.verifiedAt).toBeGreaterThan(0);
  });
});

describe("something else lies in a blob's place", () => {
  const strangers: [string, (path: string) => unknown][] = [
    ["a directory with files in it", (path) => mkdir(join(path, "a"), { recursive: true })],
    ["a link to a file of the same size", (path) => linkTo(path, true)],
    ["a link to nothing", (path) => linkTo(path, false)],
    ["a pipe", (path) => execFileSync("mkfifo", [path])],
    ["a socket", listenAt],
    ["an empty file", (path) => writeFile(path, "")],
  ];

  it.each(strangers)("%s: it is moved out of the way, and the blob is fetched again", async (_, place) => {
    const { world, digest } = await worldWithBlob(SMALL);
    await stored(world, digest);
    const path = world.store.layout.blob(digest);
    await rm(path);
    await place(path);
    for (const start of ["running", "started again"]) {
      if (start !== "running") {
        await rm(path);
        await world.restart(async () => void (await place(path)));
      }
      expect(await world.stat("a/b", digest)).toMatchObject({ size: SMALL });
      expectPattern(await world.read("a/b", digest), SMALL);
      await world.fills(0);
      expect((await world.stat("a/b", digest)).outcome).toBe("hit");
    }
    expect(world.fake.bytesSentFor(digest)).toBe(3 * SMALL);
    expect(await world.metric("bypasses_total")).toBe(0);
  });

  it("or in the place of the folder above: likewise", async () => {
    const { world, digest } = await worldWithBlob(SMALL);
    const folder = dirname(world.store.layout.blob(digest));
    for (const place of [() => writeFile(folder, "x"), () => symlink("/tmp", folder)]) {
      await rm(folder, { recursive: true, force: true });
      await place();
      expectPattern(await world.read("a/b", digest), SMALL);
      await world.fills(0);
      expect((await world.stat("a/b", digest)).outcome).toBe("hit");
    }
    expect(await world.metric("bypasses_total")).toBe(0);
  });

  it("a file of the same size that came there while the blob was fetched does not become the blob", async () => {
    const { world, digest } = await worldWithBlob(SMALL, {
      settings: { bandwidth: { registry: MiB, cdn: undefined } },
    });
    const reading = world.read("a/b", digest);
    await world.fills(1);
    const path = world.store.layout.blob(digest);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, patternBytes(77, 0, SMALL));
    expectPattern(await reading, SMALL);
    await world.fills(0);
    expectPattern(await world.read("a/b", digest), SMALL);
  });
});

async function linkTo(path: string, isThere: boolean): Promise<void> {
  const target = join(dirname(path), "..", "..", "..", "elsewhere");
  if (isThere) await writeFile(target, patternBytes(77, 0, SMALL));
  await symlink(target, path);
}

/** By a relative path: the absolute one may be longer than a socket's may be. */
async function listenAt(path: string): Promise<void> {
  const before = process.cwd();
  process.chdir(dirname(path));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path.slice(dirname(path).length + 1), resolve));
  process.chdir(before);
  onTestFinished(() => void server.close());
}

it("a verified blob is not hashed again while nobody touches its file", async () => {
  const { world, digest } = await worldWithBlob(LARGE);
  await stored(world, digest);
  await world.restart();
  await world.read("a/b", digest);
  const verifiedAt = (await world.metadata.blob(digest))?.verifiedAt;
  world.clock.aheadMs += 1_000;
  expectPattern(await world.read("a/b", digest), LARGE);
  expect((await world.metadata.blob(digest))?.verifiedAt).toBe(verifiedAt);
  expect(digestOfPattern(SEED, LARGE)).toBe(digest);
});
