/** Shows what a node tells people of its fleet: the nodes, who brings what for all, the bucket, and what it knows while the database is away. */
import { expect, test } from "vitest";
import { blobLease } from "../../../src/fleet/fleet.ts";
import { createAdminApp } from "../../../src/http/admin/app.ts";
import { type FleetAnswer, fleetSchema } from "../../../src/http/admin/routes/fleet-shapes.ts";
import { type Status, statusSchema } from "../../../src/http/admin/routes/status-routes.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { fleetFace } from "../../support/fleet-face.ts";
import { unreachable } from "./admin-world.ts";

const GB = 10 ** 9;
const LAYER = digestOf(Buffer.from("a layer"));
const OTHER = digestOf(Buffer.from("another layer"));
const names = new Map([[LAYER, { upstream: "docker.io", repository: "library/node" }]]);

type Face = Awaited<ReturnType<typeof fleetFace>>;

async function look({ ask }: Face): Promise<FleetAnswer> {
  const { status, json } = await ask("/api/v1/fleet");
  expect(status).toBe(200);
  return fleetSchema.parse(json);
}

test("nodes are told with what each says of itself, and what is no number is left out", async () => {
  const state = { fills: 3, stored: 5 * GB, budget: 9 * GB, served: 1_000, unshared: 0 };
  const odd = { fills: "many", stored: -1, served: Number.NaN, secret: "x" } as never;
  const face = await fleetFace({
    told: { b: state, c: odd },
    zones: { b: "hall" },
    versions: { c: "1.3.0" },
  });
  const { node, nodes, database } = await look(face);
  expect(node).toBe("a");
  expect(nodes).toMatchObject([
    { node: "a", isMe: true, isLive: true, version: "1.2.3", address: "http://a", state: {} },
    { node: "b", isMe: false, zone: "hall", state },
    { node: "c", version: "1.3.0" },
  ]);
  expect(nodes[2]?.state).toEqual({});
  expect(database.isAnswering).toBe(true);
});

test("leases say who does what for all, with the name of a blob where this node knows it", async () => {
  const face = await fleetFace({ names });
  const { a, b, c } = face.nodes;
  await b.acquire(blobLease("docker.io", LAYER));
  await c.acquire(blobLease("ghcr.io", LAYER));
  await a.acquire(blobLease("", OTHER));
  await a.acquire("tag\ndocker.io\nlibrary/node\n24\nimage");
  await b.acquire("janitor");
  await a.acquire("schedule");
  await c.acquire("something\nof a newer version");
  const { leases } = await look(face);
  expect(leases.map(({ heldMs: _, ...lease }) => lease)).toEqual([
    {
      ...{ kind: "fill", node: "b", isMe: false, upstream: "docker.io", repository: "library/node" },
      digest: LAYER,
    },
    // A name of another upstream is not its name.
    { kind: "fill", node: "c", isMe: false, upstream: "ghcr.io", digest: LAYER },
    { kind: "share", node: "a", isMe: true, digest: OTHER },
    {
      ...{ kind: "tag", node: "a", isMe: true, upstream: "docker.io", repository: "library/node" },
      tag: "24",
    },
    { kind: "janitor", node: "b", isMe: false },
    { kind: "schedule", node: "a", isMe: true },
    { kind: "other", node: "c", isMe: false, key: "something of a newer version" },
  ]);
});

test("the bucket is told with what goes soon and its limit, and what this node has not shared", async () => {
  const face = await fleetFace({ bucketLimit: 10 * GB });
  const lease = await face.nodes.b.acquire(blobLease("docker.io", LAYER));
  await lease?.commit({ digest: LAYER, size: 4 * GB, objectKey: "one" });
  const second = await face.nodes.b.acquire(blobLease("docker.io", OTHER));
  await second?.commit({ digest: OTHER, size: GB, objectKey: "two" });
  const row = face.shared.rows.blobs.get(OTHER);
  if (row !== undefined) row.doomedAt = 1;
  const { bucket, unshared } = await look(face);
  const doomed = { doomedObjects: 1, doomedBytes: GB };
  expect(bucket).toMatchObject({ objects: 1, bytes: 4 * GB, limit: 10 * GB, ...doomed });
  expect(unshared).toBe(2);
});

test("a node that died is told as gone, and its leases with it", async () => {
  const face = await fleetFace();
  await face.nodes.b.acquire(blobLease("docker.io", LAYER));
  face.shared.cuts.add("b");
  const b = async () => (await look(face)).nodes.find(({ node }) => node === "b");
  await expect.poll(async () => (await b())?.isLive).toBe(false);
  expect((await b())?.silentMs).toBeGreaterThan(3_000);
  await expect.poll(async () => (await look(face)).leases).toEqual([]);
  const { fleet } = statusSchema.parse((await face.ask("/api/v1/status")).json) as Status;
  expect(fleet).toMatchObject({ node: "a", nodes: 3, live: 2, database: { isAnswering: true } });
});

test("without the database a node tells what it knew before, and since when it hears nothing", async () => {
  const face = await fleetFace();
  const before = await look(face);
  face.shared.database.away = true;
  await expect.poll(async () => (await look(face)).database.isAnswering).toBe(false);
  const { now, nodes, database, seenAt } = await look(face);
  expect(nodes.map(({ node }) => node)).toEqual(["a", "b", "c"]);
  expect(database.since).toBeGreaterThanOrEqual(before.database.since);
  expect(seenAt).toBeLessThanOrEqual(now);
  face.shared.database.away = false;
  await expect.poll(async () => (await look(face)).database.isAnswering).toBe(true);
});

test("a Granary that is alone says so, and its status tells of no fleet", async () => {
  const { parts } = unreachable();
  const app = createAdminApp(Object.create(parts, { fleet: { value: undefined } }));
  const answer = await app.request("/api/v1/fleet");
  expect(answer.status).toBe(404);
  expect(await answer.json()).toMatchObject({
    error: { code: "not-found", message: expect.stringContaining("no node of a fleet") },
  });
});
