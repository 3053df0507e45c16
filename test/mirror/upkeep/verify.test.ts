/** Shows that everything that is stored can be verified, by hand and in the background, and what becomes of what is wrong. */
import { constants } from "node:fs";
import { chmod, mkdir, open, readdir, rename, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import Sqlite from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { VerifyReport } from "../../../src/mirror/upkeep/verify-report.ts";
import { type Digest, encodedOf } from "../../../src/oci/digest.ts";
import { MiB, type MirrorWorld, startWorld } from "../../support/mirror-world.ts";
import { eventually } from "../../support/patience.ts";
import { digestOfPattern, firstDifference, patternBytes } from "../../support/pattern.ts";

const SIZE = 300_000;
const DAY_MS = 86_400_000;

async function worldWithBlobs(count: number, options: Parameters<typeof startWorld>[0] = {}) {
  const world = await startWorld(options);
  const digests = Array.from({ length: count }, (_, seed) =>
    world.fake.addGeneratedBlob({ seed, size: SIZE }),
  );
  for (const digest of digests) await world.read("a/b", digest);
  await world.fills(0);
  return { world, digests };
}

/** As a disk does it: nothing tells of it but the bytes. */
async function rot(world: MirrorWorld, digest: Digest): Promise<void> {
  const path = world.store.layout.blob(digest);
  const before = await stat(path);
  await chmod(path, 0o640);
  const file = await open(path, constants.O_RDWR);
  await file.write(Buffer.from("rot!"), 0, 4, SIZE / 2);
  await file.close();
  await utimes(path, before.atime, before.mtime);
}

const damaged = (world: MirrorWorld) =>
  readdir(join(world.store.layout.directory, "damaged")).catch(() => []);

function kindsOf({ findings }: VerifyReport): string[] {
  return findings.map(({ kind, what }) => `${kind} ${what}`).sort();
}

describe("granary verify", () => {
  it("finds each kind of damage and changes nothing, then repairs it, and then all is sound", async () => {
    const { world, digests } = await worldWithBlobs(6);
    const [sound, rotten, cut, gone, unknown, wrong] = digests as [
      Digest,
      Digest,
      Digest,
      Digest,
      Digest,
      Digest,
    ];
    world.fake.addImage("a/b", "1", { layers: [10] });
    const manifest = (await world.get("a/b", "1")).manifest.digest;
    const { layout } = world.store;
    const pathOf = (digest: Digest) => layout.blob(digest);
    await world.restart(async () => {
      const database = new Sqlite(layout.database);
      for (const digest of [unknown, wrong])
        database.prepare("DELETE FROM blobs WHERE digest = ?").run(digest);
      database.prepare("UPDATE manifests SET bytes = CAST(replace(bytes, 'layers', 'layerz') AS BLOB)").run();
      database.close();
      for (const digest of [rotten, wrong]) await rot(world, digest);
    });
    // Under the running server, which has counted them at its start.
    await rm(pathOf(gone));
    await chmod(pathOf(cut), 0o640);
    await truncate(pathOf(cut), 1000);
    await writeFile(join(dirname(pathOf(sound)), "README"), "x");
    const findings = [
      `damaged-blob ${rotten}`,
      `damaged-blob ${wrong}`,
      `damaged-manifest ${manifest}`,
      `missing ${gone}`,
      `stranger ${join(dirname(pathOf(sound)), "README")}`,
      `wrong-size ${cut}`,
    ].sort();
    const told: number[] = [];
    for (let round = 0; round < 2; round++) {
      const report = await world.mirror.verify({ repair: false, onProgress: ({ done }) => told.push(done) });
      expect(kindsOf(report)).toEqual(findings);
      expect(report).toMatchObject({ isSound: false, blobs: 2, bytes: 2 * SIZE, manifests: 0 });
      expect(report.findings.every(({ isRepaired }) => !isRepaired)).toBe(true);
      expect(await damaged(world)).toEqual([]);
    }
    expect(told.at(-1)).toBe(4 * SIZE + 1000);
    const repaired = await world.mirror.verify({ repair: true });
    expect(kindsOf(repaired)).toEqual(findings);
    expect(repaired.isSound).toBe(true);
    expect(await damaged(world)).toHaveLength(3);
    const again = await world.mirror.verify({ repair: false });
    expect(again).toMatchObject({ isSound: true, blobs: 2, findings: [{ kind: "stranger" }] });
    expect(await world.metric("damaged_total")).toBe(4);
    for (const [seed, digest] of digests.entries())
      expect(firstDifference(seed, 0, await world.read("a/b", digest))).toBeUndefined();
    await world.get("a/b", manifest);
    await world.fills(0);
    const last = await world.mirror.verify({ repair: false });
    expect(last).toMatchObject({ isSound: true, blobs: 6, manifests: 1 });
  });

  it("registers sound files that it does not know, and moves what is no file out of a blob's place", async () => {
    const { world, digests } = await worldWithBlobs(2);
    const [known = digestOfPattern(0, SIZE)] = digests;
    const stranger = digestOfPattern(50, SIZE);
    const { layout } = world.store;
    await mkdir(layout.blobDirectory(stranger), { recursive: true });
    await writeFile(layout.blob(stranger), patternBytes(50, 0, SIZE));
    await rm(layout.blob(known));
    await mkdir(layout.blob(known));
    const found = await world.mirror.verify({ repair: true });
    expect(kindsOf(found)).toEqual([`missing ${known}`, `unregistered ${stranger}`].sort());
    expect(found.findings.find(({ what }) => what === known)?.reason).toBe(
      "something else lies in its place",
    );
    expect(found.isSound).toBe(true);
    expect((await world.metadata.blob(stranger))?.verifiedAt).toBeGreaterThan(0);
    expect((await world.mirror.verify({ repair: false })).findings).toEqual([]);
    expect(await damaged(world)).toHaveLength(1);
  });

  it("says what could not be listed, and takes nothing in there for missing", async () => {
    const { world, digests } = await worldWithBlobs(2);
    const [first = digestOfPattern(0, SIZE)] = digests;
    const folder = dirname(world.store.layout.blob(first));
    await rename(folder, `${folder}.away`);
    await writeFile(folder, "x");
    const report = await world.mirror.verify({ repair: false });
    expect(report.isSound).toBe(false);
    expect((await world.metadata.sums()).blobs).toBe(2);
    await rm(folder);
    await rename(`${folder}.away`, folder);
    expect((await world.mirror.verify({ repair: true })).isSound).toBe(true);
    expect((await world.metadata.sums()).blobs).toBe(2);
  });

  it("stops when it is told so, and leaves no pin", async () => {
    const { world } = await worldWithBlobs(2);
    const stopped = AbortSignal.abort();
    const verifying = world.mirror.verify({ repair: true, signal: stopped });
    await expect(verifying).rejects.toMatchObject({ code: "aborted" });
    expect((await world.mirror.status()).pins).toBe(0);
  });
});

describe("the scrub", () => {
  it("hashes what is due, sets aside what is wrong, goes on after a restart, and is no use of anything", async () => {
    const { world, digests } = await worldWithBlobs(4, { verifyEveryMs: 30 * DAY_MS });
    const [first, rotten, vanished, other] = digests as [Digest, Digest, Digest, Digest];
    world.clock.aheadMs += 20 * DAY_MS;
    world.clock.holdsTimers = true;
    await world.restart(async () => {
      await rot(world, rotten);
    });
    await rm(world.store.layout.blob(vanished));
    const usedAt = (await world.metadata.blob(first))?.usedAt;
    const verifiedAt = async (digest: Digest) => (await world.metadata.blob(digest))?.verifiedAt ?? 0;
    expect(await verifiedAt(first)).toBeLessThan(world.clock.now() - 19 * DAY_MS);
    world.clock.fireTimers();
    await eventually(async () => expect(await damaged(world)).toHaveLength(1));
    for (const digest of [first, other])
      await eventually(async () =>
        expect(await verifiedAt(digest)).toBeGreaterThan(world.clock.now() - DAY_MS),
      );
    await eventually(async () => expect((await world.metadata.sums()).blobs).toBe(2));
    expect((await world.metadata.blob(first))?.usedAt).toBe(usedAt);
    expect(await damaged(world)).toEqual([`sha256-${encodedOf(rotten)}.1`]);
    // Not due again, also not in another process.
    const before = await verifiedAt(first);
    world.clock.aheadMs += 5 * DAY_MS;
    await world.restart();
    world.clock.fireTimers();
    await world.read("a/b", other, { start: 0, end: 1 });
    expect(await verifiedAt(first)).toBe(before);
    world.clock.holdsTimers = false;
  });

  it("gives way when room is needed: nothing is passed through because of it (F12, F16)", async () => {
    const size = 9 * MiB;
    const budget = { maxSize: size + MiB, minFree: 0 };
    const world = await startWorld({ budget, verifyEveryMs: 30 * DAY_MS });
    const [old, fresh] = [1, 2].map((seed) => world.fake.addGeneratedBlob({ seed, size })) as [
      Digest,
      Digest,
    ];
    await world.read("a/b", old);
    await world.fills(0);
    world.clock.aheadMs += 20 * DAY_MS;
    world.clock.holdsTimers = true;
    await world.restart();
    world.clock.fireTimers();
    // It reads in steps with half a second between them.
    await eventually(async () =>
      expect((await world.openFiles()).some((path) => path.includes("/blobs/"))).toBe(true),
    );
    world.clock.holdsTimers = false;
    expect(firstDifference(2, 0, await world.read("a/b", fresh))).toBeUndefined();
    await world.fills(0);
    expect(await world.metric("bypasses_total")).toBe(0);
    expect(await world.metadata.blob(old)).toBeUndefined();
    const again = await world.open("a/b", fresh);
    again.blob.release();
    expect(again.outcome).toBe("hit");
  });
});
