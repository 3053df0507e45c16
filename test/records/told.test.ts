/** What a running Mirror tells of as events: each from the real thing, by the names that people use. */
import { expect, test } from "vitest";
import { MiB, type MirrorWorld, startWorld, UPSTREAM } from "../support/mirror-world.ts";
import { eventually } from "../support/patience.ts";

const TAG_LIFETIME_MS = 600_000;

test("a transfer is told of when it begins and when it has ended, by the name of its repository", async () => {
  const world = await startWorld();
  const digest = world.fake.addGeneratedBlob({ seed: 1, size: MiB }, "a/b");
  await world.read("a/b", digest);
  await world.fills(0);
  expect(kinds(world)).toEqual(["fill-begun", "fill-ended"]);
  const [begun, ended] = world.records.events.since(0);
  expect(begun).toMatchObject({
    text: `fetching a blob of 1 MiB for ${UPSTREAM}/a/b`,
    facts: { upstream: UPSTREAM, repository: "a/b", digest, size: MiB },
  });
  expect(ended?.text).toContain(`fetched a blob of 1 MiB for ${UPSTREAM}/a/b in `);
});

test("what was fetched is counted as traffic of its repository, as it comes", async () => {
  const world = await startWorld();
  const { layerDigests } = world.fake.addImage("a/b", "1", { layers: [MiB] });
  const { manifest } = await world.get("a/b", "1");
  await world.read("a/b", layerDigests[0] ?? "");
  await world.fills(0);
  expect(await world.records.traffic.find({ by: "repository" })).toMatchObject([
    {
      name: `${UPSTREAM}/a/b`,
      fetched: MiB + manifest.bytes.length,
      served: 0,
      saved: -MiB - manifest.bytes.length,
    },
  ]);
});

test("a blob that cannot be fetched is told of once, however often clients ask; and when it comes in", async () => {
  const world = await startWorld();
  const { layerDigests } = world.fake.addImage("a/b", "1", { layers: [MiB] });
  const [layer = ""] = layerDigests;
  await world.get("a/b", "1");
  const failing = async (times: number) => {
    for (let time = 0; time < times; time++) {
      await expect(world.read("a/b", layer)).rejects.toMatchObject({ code: "digest-mismatch" });
      await world.fills(0);
    }
  };
  world.fake.fail(/blobs/, { kind: "flip", offset: 5 }, { times: 1_000 });
  await failing(10);
  expect(kinds(world)).toEqual(["fill-begun", "digest-mismatch"]);
  world.clock.aheadMs += 11 * 60_000;
  await failing(5);
  expect(kinds(world)).toHaveLength(4);
  world.fake.faults.length = 0;
  await world.read("a/b", layer);
  await world.fills(0);
  expect(kinds(world).slice(4)).toEqual(["fill-ended"]);
});

test("a transfer that nobody waits for any more is told of as paused", async () => {
  const world = await startWorld({ upstream: { policy: { lingerMs: 0 } } });
  const digest = world.fake.addGeneratedBlob({ seed: 1, size: 4 * MiB }, "a/b");
  world.fake.fail(/blobs/, { kind: "stall", afterBytes: MiB / 2 });
  const { blob } = await world.open("a/b", digest);
  const reader = blob.reader();
  await reader.read(new Uint8Array(1000));
  reader.close();
  blob.release();
  await eventually(async () => expect(kinds(world)).toEqual(["fill-begun", "fill-paused"]));
  expect(world.records.events.since(0).at(-1)?.text).toContain(`stopped fetching a blob for ${UPSTREAM}/a/b`);
});

test("a tag that moved is told of with both digests", async () => {
  const world = await startWorld();
  const before = world.fake.addImage("a/b", "1", { layers: [100] });
  await world.get("a/b", "1");
  const after = world.fake.addImage("a/b", "1", { layers: [100], seed: 9 });
  world.clock.aheadMs += TAG_LIFETIME_MS;
  await world.get("a/b", "1");
  expect(world.records.events.since(0)).toMatchObject([
    {
      kind: "tag-moved",
      text: `${UPSTREAM}/a/b:1 moved to ${after.manifestDigest}`,
      facts: { tag: "1", from: before.manifestDigest, to: after.manifestDigest },
    },
  ]);
});

test("evictions are told of once for each round, with how many and how much", async () => {
  const world = await startWorld({ budget: { maxSize: 4 * MiB, minFree: 0 } });
  const digests = [1, 2, 3].map((seed) => world.fake.addGeneratedBlob({ seed, size: MiB }, "a/b"));
  for (const digest of digests) {
    await world.read("a/b", digest);
    await world.fills(0);
  }
  const large = world.fake.addGeneratedBlob({ seed: 4, size: 3 * MiB }, "a/b");
  await world.read("a/b", large);
  const evicted = world.records.events.since(0).filter(({ kind }) => kind === "evicted");
  expect(evicted).toHaveLength(1);
  expect(evicted[0]).toMatchObject({ facts: { blobs: 2, bytes: 2 * MiB } });
  expect(evicted[0]?.text).toBe("2 blobs used longest ago (2 MiB) made room");

  await world.fills(0);
  const evictions = () => world.records.events.since(0).filter(({ kind }) => kind === "evicted");
  await world.mirror.contents.evict(2 * MiB, true);
  expect(evictions()).toHaveLength(1);
  // By command, it is a round like the others.
  const { freed } = await world.mirror.contents.evict(2 * MiB, false);
  expect(evictions().slice(1)).toMatchObject([{ facts: { bytes: freed } }]);
});

test("wrong bytes are told of, of blobs and of manifests", async () => {
  const world = await startWorld();
  const { manifestDigest } = world.fake.addImage("a/b", "1", { layers: [100] });
  const digest = world.fake.addGeneratedBlob({ seed: 1, size: 1000 }, "a/b");
  world.fake.fail(/blobs/, { kind: "flip", offset: 5 }, { times: 100 });
  await expect(world.read("a/b", digest)).rejects.toMatchObject({ code: "digest-mismatch" });
  world.fake.fail(/manifests/, { kind: "flip", offset: 5 }, { times: 100 });
  await expect(world.get("a/b", manifestDigest)).rejects.toMatchObject({ code: "digest-mismatch" });
  await eventually(async () =>
    expect(kinds(world).filter((kind) => kind === "digest-mismatch").length).toBeGreaterThanOrEqual(2),
  );
});

test("an upstream that goes away and comes back is told of once each", async () => {
  const world = await startWorld();
  world.fake.addImage("a/b", "1", { layers: [100] });
  await world.fake.pause();
  await expect(world.get("a/b", "1")).rejects.toMatchObject({ code: "upstream-unavailable" });
  await expect(world.get("a/c", "1")).rejects.toMatchObject({ code: "upstream-unavailable" });
  await eventually(async () => expect(kinds(world)).toEqual(["upstream-down"]));
  await world.fake.resume();
  await eventually(async () => expect(kinds(world)).toEqual(["upstream-down", "upstream-up"]));
});

test("an upstream that limits us is told of once, however many repositories it limits", async () => {
  const world = await startWorld();
  world.fake.fail(/manifests/, { kind: "rate-limited", retryAfter: "5" }, { times: 100 });
  for (const repository of ["a/b", "a/c", "a/d"])
    await expect(world.get(repository, "1")).rejects.toMatchObject({ code: "rate-limited" });
  expect(kinds(world)).toEqual(["upstream-limited"]);
  expect(world.records.events.since(0)[0]).toMatchObject({ facts: { upstream: UPSTREAM } });
});

function kinds({ records }: MirrorWorld): string[] {
  return records.events.since(0).map(({ kind }) => kind);
}
