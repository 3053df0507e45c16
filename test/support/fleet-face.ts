/**
 * Owns the admin face of one node of a fleet in memory, for one test: the real application behind a real listener, three nodes that beat and have
 * records that the test tells, and a bucket of which there are only rows. The others are asked for their records over real internal listeners.
 */

import { onTestFinished } from "vitest";
import { Peers } from "../../src/fleet/peers/peers.ts";
import { OwnRecords } from "../../src/fleet/records/own-records.ts";
import { SeenRecords } from "../../src/fleet/records/seen-records.ts";
import type { BucketUse, NodeState } from "../../src/fleet/view/fleet-view.ts";
import { SeenFleet } from "../../src/fleet/view/seen-fleet.ts";
import type { AdminParts } from "../../src/http/admin/admin-parts.ts";
import { type InternalListener, listenInternally } from "../../src/http/internal/internal-listener.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { openRecords, type Records } from "../../src/records/records.ts";
import { startAdmin } from "../http/admin/admin-world.ts";
import { memoryFleet } from "./memory-fleet.ts";

export type FaceOptions = {
  /** What each node tells of itself. */
  readonly told?: Readonly<Record<string, Partial<NodeState>>>;
  readonly versions?: Readonly<Record<string, string>>;
  readonly zones?: Readonly<Record<string, string>>;
  /** Bytes. */
  readonly bucketLimit?: number;
  /** By digest: what this node knows of it. */
  readonly names?: ReadonlyMap<Digest, { readonly upstream: string; readonly repository: string }>;
};

const STATUS = {
  ...{ fills: [], pins: 0, upstreams: [], blobs: 0, manifests: 0, troubles: [] },
  disk: { used: 1, budget: 2, free: 3 },
};

const SECRET = "a secret of thirty-two characters";

/** What a node answers whom it asks for its records: its own, unless the test has another answer. */
export type RecordsAnswer = () => Promise<object | undefined>;

/** The nodes are a, b and c; it is a that is asked. */
export async function fleetFace(options: FaceOptions = {}) {
  const { told = {}, versions = {}, zones = {}, bucketLimit, names = new Map() } = options;
  const shared = memoryFleet({ clock: systemClock });
  const records = { a: recordsOf(), b: recordsOf(), c: recordsOf() };
  const otherAnswers = new Map<string, RecordsAnswer>();
  const listeners = {
    b: await listenFor("b", records.b, otherAnswers),
    c: await listenFor("c", records.c, otherAnswers),
  };
  const node = (name: "a" | "b" | "c") =>
    shared.node(name, {
      ...(name !== "a" && { address: `http://127.0.0.1:${listeners[name].port}` }),
      told: () => told[name] ?? {},
      zone: zones[name],
      version: versions[name] ?? "1.2.3",
    });
  const nodes = { a: await node("a"), b: await node("b"), c: await node("c") };
  onTestFinished(async () => {
    for (const each of Object.values(nodes)) await each.close();
  });
  const fleet = new SeenFleet({
    ...{ fleet: nodes.a, clock: systemClock, bucketLimit: () => bucketLimit, unshared: () => 2 },
    bucketUse: () => nodes.a.members().then(() => useOf([...shared.rows.blobs.values()])),
    repositories: async (digest) => [names.get(digest) ?? []].flat(),
  });
  const peers = new Peers({ clock: systemClock, secret: SECRET, tls: undefined });
  onTestFinished(() => peers.close());
  const own = new OwnRecords(records.a);
  const fleetRecords = new SeenRecords({ view: fleet, peers, own, clock: systemClock });
  const mirror = { status: async () => STATUS };
  const common = { clock: systemClock, log: silentLog, startedAt: systemClock.now() };
  const settings = { shown: () => ({ settings: {}, needRestart: [] }) };
  const doctor = { examine: async () => [] };
  const some = { ...common, mirror, settings, doctor, records: records.a, fleet, fleetRecords };
  // Nothing else of a server is asked.
  const admin = await startAdmin({ parts: some as unknown as AdminParts });
  return { ...admin, shared, nodes, fleet, records, listeners, otherAnswers };
}

function recordsOf(): Records {
  const records = openRecords({ clock: systemClock });
  onTestFinished(() => records.close());
  return records;
}

async function listenFor(
  node: string,
  records: Records,
  otherAnswers: ReadonlyMap<string, RecordsAnswer>,
): Promise<InternalListener> {
  const own = new OwnRecords(records);
  const listener = await listenInternally(
    { port: 0, host: "127.0.0.1", secret: SECRET, tls: undefined },
    {
      ...{ node, clock: systemClock, log: silentLog, metrics: createMetrics() },
      transfers: { filling: async () => undefined, kept: async () => undefined, map: async () => undefined },
      records: async (question) => await (otherAnswers.get(node)?.() ?? own.answer(question)),
    },
  );
  onTestFinished(() => listener.close());
  return listener;
}

function useOf(rows: readonly { size: number; doomedAt: number | undefined }[]): BucketUse {
  const sum = (some: typeof rows) => some.reduce((bytes, { size }) => bytes + size, 0);
  const doomed = rows.filter(({ doomedAt }) => doomedAt !== undefined);
  const kept = rows.filter(({ doomedAt }) => doomedAt === undefined);
  return {
    ...{ objects: kept.length, bytes: sum(kept) },
    ...{ doomedObjects: doomed.length, doomedBytes: sum(doomed) },
  };
}
