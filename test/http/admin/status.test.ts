/** The status as programs get it: what it says of pulls, clients and upstreams, in the shape that the document describes, and in bounds. */
import { expect, test } from "vitest";
import { RangeSet } from "../../../src/bytes/range-set.ts";
import { drawnMap } from "../../../src/fill/drawn-runs.ts";
import { type Status, statusOf, statusSchema } from "../../../src/http/admin/routes/status-routes.ts";
import type { MirrorStatus } from "../../../src/mirror/mirror.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { DOCKER, imageOf, type RecordsWorld, recordsWorld } from "../../support/records-world.ts";

const GB = 10 ** 9;

const EMPTY: MirrorStatus = {
  ...{ fills: [], pins: 0, upstreams: [], blobs: 0, manifests: 0, troubles: [] },
  disk: { used: 1, budget: 2, free: 3 },
};

/** Checked by the schema, and as JSON has it. */
async function statusWith(
  { records, clock }: RecordsWorld,
  change: Partial<MirrorStatus> = {},
): Promise<Status> {
  const mirror = { status: async () => ({ ...EMPTY, ...change }) };
  const status = await statusOf({ mirror, records, clock, startedAt: 0 });
  return statusSchema.parse(JSON.parse(JSON.stringify(status)));
}

type Fill = MirrorStatus["fills"][number];

function fillOf(index: number, change: Partial<Fill> = {}): Fill {
  return {
    ...{ digest: digestOf(Buffer.from(`fill ${index}`)), upstream: "docker.io", state: "filling" },
    ...{
      size: 40 * GB,
      present: 0,
      lanes: 16,
      readers: 16,
      waits: 1,
      purpose: "waited",
      heldForMs: undefined,
    },
    ...{
      begunAt: 0,
      bytesPerSecond: 1e6,
      serves: [],
      runs: [],
      cells: undefined,
      lanesAt: [],
      readersAt: [],
    },
    ...change,
  };
}

const upstream = { name: "docker.io", circuit: "closed", retryAt: undefined, reason: undefined } as const;

test("a pull that goes on says how fast it is, whether it is asked for, and whether it waits", async () => {
  const world = await recordsWorld();
  const image = imageOf("alpine", [10, 5_000_000]);
  world.manifest(image, { tag: "3" });
  const { pulls: idle } = await statusWith(world);
  expect(idle).toMatchObject([{ tag: "3", agent: "docker", requests: 0, waiting: 0, size: 5_000_010 }]);

  const layer = world.begin(image.blobs[1] ?? image.digest);
  const pull = String(idle[0]?.id);
  const serves = { repository: "library/alpine", client: "192.0.2.1", purpose: "waited", since: 0 } as const;
  const fills = [
    fillOf(1, { serves: [{ ...serves, pull, readers: 2, waiting: 1 }] }),
    fillOf(2, {
      serves: [
        { ...serves, pull, readers: 1, waiting: 1 },
        { ...serves, readers: 1, waiting: 1 },
      ],
    }),
  ];
  await world.clock.advance(1_000);
  layer.sent(2_000_000);
  await world.clock.advance(1_000);
  const { pulls, fills: shown } = await statusWith(world, { fills });
  expect(pulls).toMatchObject([{ requests: 1, waiting: 2 }]);
  // From the last look, two seconds before, with the bytes of the manifest in the one before.
  expect(pulls[0]?.bytesPerSecond).toBeGreaterThan(900_000);
  expect(pulls[0]?.bytesPerSecond).toBeLessThan(1_100_000);
  expect(shown[0]?.serves).toMatchObject([{ pull: Number(pull) }]);
  await world.clock.advance(2_000);
  expect((await statusWith(world)).pulls).toMatchObject([{ bytesPerSecond: 0, waiting: 0 }]);
  layer.sent(3_000_000);
  layer.end({ from: "upstream", isWhole: true, failure: undefined });
});

test("an upstream says how fast it answers and when it allows more; its addresses only where there are several", async () => {
  const world = await recordsWorld();
  const answers = { latencyMs: 82, askedAt: 5, requests: 20, failed: 3 };
  const endpoint = { host: "mirror.test", isFirst: true, retryAt: undefined, ...answers };
  const rateLimit = { limit: 100, remaining: 76, windowMs: 21_600_000, seenAt: 7 };
  const shared = { offlineSince: undefined, rateLimit: undefined, answers };
  const { upstreams } = await statusWith(world, {
    upstreams: [
      { ...upstream, ...shared, rateLimit, budgetReturn: { at: 9, isStated: false }, endpoints: [endpoint] },
      { ...upstream, ...shared, name: "lab", endpoints: [endpoint, { ...endpoint, host: "b.test" }] },
      { ...upstream, ...shared, name: "ghcr.io", budgetReturn: { at: 9, isStated: true } },
    ],
  });
  expect(upstreams).toMatchObject([
    { name: "docker.io", ...answers, rateLimit: { ...rateLimit, resetAt: 9, isStated: false } },
    { name: "lab", endpoints: [{ host: "mirror.test", isFirst: true }, { host: "b.test" }] },
    { name: "ghcr.io", rateLimit: { resetAt: 9, isStated: true } },
  ]);
  expect(upstreams[0]).not.toHaveProperty("endpoints");
  expect(upstreams[1]).not.toHaveProperty("rateLimit");
});

test("clients that asked for anything are in it, at most forty of them", async () => {
  const world = await recordsWorld();
  for (let n = 0; n < 500; n++) world.records.clients.asks(`10.0.${n >> 8}.${n & 255}`, DOCKER);
  const { clients } = await statusWith(world);
  expect(clients).toHaveLength(40);
  expect(clients[0]).toMatchObject({ agent: "docker", requests: 1, pulls: 0 });
  expect(JSON.stringify(clients).length).toBeLessThan(10_000);
});

test.each([
  [50, 400_000],
  [200, 1_500_000],
])("%i fills of 40 GB, each in thousands of scattered runs, take at most %i bytes", async (count, most) => {
  const present = new RangeSet();
  for (let run = 0; run < 5_000; run++)
    present.add({ start: run * 8_000_000, end: run * 8_000_000 + 3_000_000 });
  const map = drawnMap(present.snapshot(), 40 * GB);
  const places = Array.from({ length: 16 }, (_, lane) => lane * 2 * GB);
  const serves = places.map((_, index) => ({
    ...{ repository: "library/model", tag: "latest", client: `192.0.2.${index}`, pull: String(index) },
    ...{ purpose: "waited" as const, since: 0, readers: 1, waiting: 1 },
  }));
  const fills = Array.from({ length: count }, (_, index) =>
    fillOf(index, { ...map, serves, lanesAt: places, readersAt: places }),
  );
  const status = await statusWith(await recordsWorld(), { fills });
  expect(status.fills[0]?.cells).toHaveLength(2_000);
  expect(JSON.stringify(status).length).toBeLessThan(most);
});
