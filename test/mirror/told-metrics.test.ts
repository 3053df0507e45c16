/** Shows what the metrics tell of the moment in which they are asked for: upstreams, troubles, what is evicted, and sums that a restart does not lose. */
import { describe, expect, test } from "vitest";
import type { Digest } from "../../src/oci/digest.ts";
import { MiB, type MirrorWorld, startWorld, UPSTREAM } from "../support/mirror-world.ts";
import { eventually } from "../support/patience.ts";

const DAY_MS = 86_400_000;

/** The value of each label set, as `/metrics` would tell it now: `{}` without labels. */
async function told(world: MirrorWorld, name: string): Promise<Record<string, number>> {
  await world.mirror.status();
  const metric = await world.metrics.registry.getSingleMetric(`granary_${name}`)?.get();
  return Object.fromEntries(
    (metric?.values ?? []).map(({ labels, value }) => [Object.values(labels).join(" "), value]),
  );
}

async function states(world: MirrorWorld) {
  const of = async (name: string) => (await told(world, `upstream_${name}`))[UPSTREAM];
  return { away: await of("away"), limited: await of("limited"), offline: await of("offline") };
}

const WELL = { away: 0, limited: 0, offline: 0 };

/** It was asked while it was down, and has noticed. */
async function notices(world: MirrorWorld): Promise<void> {
  await world.fake.pause();
  await expect(world.get("a/b", "1")).rejects.toMatchObject({ code: "upstream-unavailable" });
  await eventually(async () => expect(await states(world)).toEqual({ ...WELL, away: 1 }));
}

describe("an upstream", () => {
  test("is told of from the first moment, and while it is away, until it is back", async () => {
    const world = await startWorld();
    world.fake.addImage("a/b", "1", { layers: [10] });
    expect(await states(world)).toEqual(WELL);
    await notices(world);
    await world.fake.resume();
    await eventually(async () => expect(await states(world)).toEqual(WELL));
  });

  test("that a person has set offline is offline and not away, whatever was known of it before", async () => {
    const world = await startWorld();
    await notices(world);
    await world.mirror.offline.set(true, UPSTREAM, false);
    expect(await states(world)).toEqual({ ...WELL, offline: 1 });
    await world.restart();
    expect(await states(world)).toEqual({ ...WELL, offline: 1 });
  });

  test("that limits us is limited and not away", async () => {
    const world = await startWorld({ settings: { retryAfter: "120" } });
    for (const name of ["a/b", "a/c"]) {
      world.fake.addImage(name, "1", { layers: [10] });
      world.fake.fail(/manifests/, { kind: "rate-limited", retryAfter: "120" });
      await expect(world.get(name, "1")).rejects.toMatchObject({ code: "rate-limited" });
    }
    expect(await states(world)).toEqual({ ...WELL, limited: 1 });
  });

  test("has its pulls told until their window is over", async () => {
    const world = await startWorld({ settings: { rateLimit: { limit: 100, windowSeconds: 21_600 } } });
    world.fake.addImage("a/b", "1", { layers: [10] });
    await world.get("a/b", "1");
    expect(await told(world, "upstream_ratelimit_remaining")).toEqual({ [UPSTREAM]: 99 });
    world.clock.aheadMs += DAY_MS;
    expect(await told(world, "upstream_ratelimit_remaining")).toEqual({});
    expect(await told(world, "upstream_ratelimit_limit")).toEqual({});
  });

  test("that the settings do not name any more is not told of", async () => {
    const world = await startWorld();
    expect(await told(world, "upstream_away")).toEqual({ [UPSTREAM]: 0 });
    world.mirror.renewUpstreams([]);
    expect(await told(world, "upstream_away")).toEqual({});
  });
});

test("counters that a whole pull may be missing from begin at zero", async () => {
  const world = await startWorld();
  const none = { [`${UPSTREAM} manifest`]: 0, [`${UPSTREAM} blob`]: 0 };
  expect(await told(world, "upstream_bytes_total")).toEqual(none);
  expect(Object.values(await told(world, "client_bytes_total"))).toEqual([0, 0]);
  expect(await told(world, "damaged_total")).toEqual({ blob: 0, manifest: 0 });
  expect(await told(world, "origin_strikes_total")).toEqual({ [UPSTREAM]: 0 });
});

test("what was fetched in all goes on over a restart, where what a process counts begins again", async () => {
  const world = await startWorld();
  const digest = world.fake.addGeneratedBlob({ seed: 1, size: MiB });
  await world.read("a/b", digest);
  expect(await told(world, "traffic_fetched_bytes_total")).toEqual({ "": MiB });
  await world.fills(0);
  await world.restart();
  expect(await told(world, "traffic_fetched_bytes_total")).toEqual({ "": MiB });
  expect((await told(world, "upstream_bytes_total"))[`${UPSTREAM} blob`]).toBe(0);
});

test("an eviction tells how long the blob had not been used, and what must stay free is told", async () => {
  const world = await startWorld({ budget: { maxSize: 2 * MiB, minFree: 12_345_678_901 } });
  expect(await told(world, "disk_min_free_bytes")).toEqual({ "": 12_345_678_901 });
  world.mirror.renewBudget({ maxSize: 2 * MiB, minFree: 0 });
  const read = async (seed: number): Promise<Digest> => {
    const digest = world.fake.addGeneratedBlob({ seed, size: MiB });
    await world.read("a/b", digest);
    await world.fills(0);
    return digest;
  };
  await read(1);
  world.clock.aheadMs += 2 * DAY_MS;
  await read(2);
  await read(3);
  const idle = await told(world, "evicted_idle_seconds");
  expect(idle).toMatchObject({ 86400: 0, 259200: 1, "+Inf": 1 });
});

test("what is wrong with the store has a name in the metrics, until it is over", async () => {
  const world = await startWorld({ budget: { maxSize: 2 ** 40, minFree: 2 ** 50 } });
  const wrong = async () => Object.entries(await told(world, "trouble")).filter(([, value]) => value === 1);
  await eventually(async () => expect(await wrong()).toEqual([["room", 1]]));
  world.mirror.renewBudget({ maxSize: 2 ** 40, minFree: 0 });
  await eventually(async () => expect(await wrong()).toEqual([]));
  expect(Object.keys(await told(world, "trouble"))).toContain("metadata-writes");
});
