/** Shows the verification as a job: a pattern says what is meant, a restart goes on where it was, and what was set aside is fetched anew. */
import { chmod, open, stat, utimes } from "node:fs/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { Jobs } from "../../src/jobs/jobs.ts";
import type { JobRows } from "../../src/metadata/job-rows.ts";
import { silentLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { Events } from "../../src/records/events.ts";
import { VERIFY_JOB, verifyJob } from "../../src/verifying/verify-job.ts";
import { MiB, type MirrorWorld, startWorld, UPSTREAM } from "../support/mirror-world.ts";
import { firstDifference } from "../support/pattern.ts";
import { MemoryRows, UPSTREAMS } from "../warm/warm-world.ts";

async function openVerify(
  world: MirrorWorld,
  rows: JobRows = new MemoryRows(),
  isAtRest = false,
): Promise<Jobs> {
  const { clock, mirror, contents } = world;
  const jobs = new Jobs({ rows, events: new Events(clock), clock, log: silentLog, metrics: createMetrics() });
  jobs.register(verifyJob({ mirror, contents, clock, upstreams: () => UPSTREAMS, isAtRest }));
  await jobs.open();
  onTestFinished(() => jobs.close(5_000));
  return jobs;
}

async function verified(jobs: Jobs, ask: { readonly repair?: boolean; readonly pattern?: string } = {}) {
  return await jobs.ended(jobs.start(VERIFY_JOB, ask, "verify").id);
}

/** As a disk does it: nothing tells of it but the bytes. */
async function rot(world: MirrorWorld, digest: Digest): Promise<void> {
  const path = world.store.layout.blob(digest);
  const before = await stat(path);
  await chmod(path, 0o640);
  const file = await open(path, "r+");
  await file.write(Buffer.from("rot!"), 0, 4, 100);
  await file.close();
  await utimes(path, before.atime, before.mtime);
}

/** An image whose layer and config are here. */
async function pulled(world: MirrorWorld, repository: string, seed: number) {
  const image = world.fake.addImage(repository, "1", { layers: [MiB], seed });
  await world.get(repository, "1");
  for (const digest of [...image.layerDigests, image.configDigest]) await world.read(repository, digest);
  await world.fills(0);
  return { ...image, layer: image.layerDigests[0] as Digest };
}

describe("a verification", () => {
  test("with repair sets aside what is damaged and fetches it anew, and then all is sound", async () => {
    const world = await startWorld();
    const { layer } = await pulled(world, "a/b", 3);
    await world.restart();
    await rot(world, layer);
    const jobs = await openVerify(world);
    const found = await verified(jobs);
    expect(found.result).toMatchObject({
      isSound: false,
      fetched: 0,
      findings: [{ kind: "damaged-blob", what: layer }],
    });
    const repaired = await verified(jobs, { repair: true });
    expect(repaired).toMatchObject({ state: "done", result: { isSound: true, fetched: 1 } });
    await world.fake.pause();
    expect(firstDifference(3, 0, await world.read("a/b", layer))).toBeUndefined();
    await world.fills(0);
    expect((await verified(jobs)).result).toMatchObject({ blobs: 2, findings: [] });
  });

  test("fetches nothing where no server runs, or where the registry cannot be asked", async () => {
    const world = await startWorld();
    const { layer } = await pulled(world, "a/b", 3);
    await world.restart();
    await rot(world, layer);
    world.fake.forgetRequests();
    const alone = await openVerify(world, new MemoryRows(), true);
    expect((await verified(alone, { repair: true })).result).toMatchObject({ isSound: true, fetched: 0 });
    expect(world.fake.count()).toBe(0);
  });

  test("of a pattern reads only what it names", async () => {
    const world = await startWorld();
    const one = await pulled(world, "a/one", 3);
    const two = await pulled(world, "a/two", 9);
    await world.restart();
    await rot(world, two.layer);
    const jobs = await openVerify(world);
    const sound = await verified(jobs, { pattern: `${UPSTREAM}/a/one` });
    expect(sound.result).toMatchObject({ blobs: 2, manifests: 1, isSound: true });
    expect((await verified(jobs, { pattern: `${UPSTREAM}/a/*:1` })).result).toMatchObject({
      findings: [{ what: two.layer }],
    });
    expect((await verified(jobs, { pattern: `*@${one.layer.slice(0, 20)}*` })).result).toMatchObject({
      blobs: 1,
    });
    const none = await verified(jobs, { pattern: `${UPSTREAM}/a/ones` });
    expect(none).toMatchObject({
      state: "failed",
      code: "not-found",
      reason: `Nothing that is stored is named ${UPSTREAM}/a/ones. Near to it: ${UPSTREAM}/a/one or ${UPSTREAM}/a/two.`,
    });
  });

  test("goes on after a restart where it was, with what it had counted and found", async () => {
    const world = await startWorld();
    const digests: Digest[] = [];
    for (let seed = 0; seed < 4; seed++) {
      const digest = world.fake.addGeneratedBlob({ seed, size: MiB });
      await world.read("a/b", digest);
      digests.push(digest);
    }
    await world.fills(0);
    await world.restart();
    digests.sort();
    const [first, , third] = digests as [Digest, Digest, Digest, Digest];
    // What came before the place is not read again: else this would be found.
    await rot(world, first);
    const finding = { kind: "missing", what: digestOf(Buffer.from("gone")), isRepaired: false };
    const place = { after: digests[1], blobs: 2, bytes: 2 * MiB, manifests: 5, findings: [finding] };
    const record = { id: 7, kind: VERIFY_JOB, title: "verify", state: "running", input: {}, startedAt: 1 };
    const rows = new MemoryRows();
    await rows.writeJobs([{ id: 7, body: JSON.stringify({ record, remembered: place }) }], []);
    const jobs = await openVerify(world, rows);
    const { state, result } = await jobs.ended(7);
    expect(state).toBe("done");
    expect(result).toMatchObject({
      blobs: 4,
      bytes: 4 * MiB,
      manifests: 5,
      findings: [finding],
      isSound: false,
    });
    expect(third).not.toBe(first);
  });

  test("beside another one is refused, and a pattern that is none", async () => {
    const world = await startWorld();
    await pulled(world, "a/b", 3);
    const jobs = await openVerify(world);
    const { id } = jobs.start(VERIFY_JOB, {}, "verify everything");
    expect(() => jobs.start(VERIFY_JOB, {}, "verify")).toThrow(
      `Job ${id} (verify everything) reads the disk already`,
    );
    await jobs.ended(id);
    expect(() => jobs.start(VERIFY_JOB, { pattern: "none.test/a" }, "verify")).toThrow(
      'no upstream "none.test"',
    );
  });
});
