/**
 * Owns the admin face of one node of a fleet in memory, for one test: the real application behind a real listener, three nodes that beat, and a
 * bucket of which there are only rows.
 */

import { onTestFinished } from "vitest";
import type { BucketUse, NodeState } from "../../src/fleet/view/fleet-view.ts";
import { SeenFleet } from "../../src/fleet/view/seen-fleet.ts";
import type { AdminParts } from "../../src/http/admin/admin-parts.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { startAdmin } from "../http/admin/admin-world.ts";
import { memoryFleet } from "./memory-fleet.ts";
import { recordsWorld } from "./records-world.ts";

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

/** The nodes are a, b and c; it is a that is asked. */
export async function fleetFace(options: FaceOptions = {}) {
  const { told = {}, versions = {}, zones = {}, bucketLimit, names = new Map() } = options;
  const shared = memoryFleet({ clock: systemClock });
  const node = (name: string) =>
    shared.node(name, {
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
  const { records } = await recordsWorld();
  const mirror = { status: async () => STATUS };
  const some = { mirror, records, fleet, clock: systemClock, log: silentLog, startedAt: systemClock.now() };
  // Nothing else of a server is asked.
  const admin = await startAdmin({ parts: some as unknown as AdminParts });
  return { ...admin, shared, nodes, fleet };
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
