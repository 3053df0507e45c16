/**
 * Owns the composition of one node of a fleet: its database, its bucket, its leases, its internal listener, and what a Mirror needs of them. Loaded only
 * where the settings say that there is a fleet. Nothing stays half-started.
 */
import { hostname } from "node:os";
import type { FleetSettings } from "./config/settings.ts";
import { type SharedMetadata, sharedMetadata } from "./fleet/knowledge/shared-metadata.ts";
import { NodeFleet } from "./fleet/leases/node-fleet.ts";
import { Peers } from "./fleet/peers/peers.ts";
import { openFleetDatabase } from "./fleet/postgres/connection.ts";
import { postgresKnowledge } from "./fleet/postgres/knowledge/postgres-knowledge.ts";
import { PostgresLeaseRows } from "./fleet/postgres/lease-rows.ts";
import { openS3Bucket } from "./fleet/s3/s3-bucket.ts";
import { FleetTransfers } from "./fleet/transfers/fleet-transfers.ts";
import { ShareStored } from "./fleet/transfers/share-stored.ts";
import { FleetTurns } from "./fleet/turns.ts";
import { listenInternally } from "./http/internal/internal-listener.ts";
import type { KnowledgeCopies, Metadata } from "./metadata/metadata.ts";
import type { FleetPart } from "./mirror/mirror-parts.ts";
import { Episodes } from "./observe/episodes.ts";
import type { Observers } from "./observe/observers.ts";
import type { BlobStore } from "./store/blob-store.ts";
import { version } from "./version.ts";
import { within } from "./waiting/deadline.ts";
import { Semaphore } from "./waiting/semaphore.ts";

/** Parts of 8 MiB and more that are in memory on their way to the bucket at one moment. */
const UPLOADS_AT_ONCE = 4;

export type FleetOptions = Observers & {
  readonly settings: FleetSettings;
  /** What this node knows by itself; the caller closes it. */
  readonly local: Metadata & KnowledgeCopies;
  readonly blobs: BlobStore;
};

export type OpenedFleet = {
  readonly metadata: SharedMetadata;
  readonly part: FleetPart;
  readonly fleet: NodeFleet;
  readonly transfers: FleetTransfers;
  /** After the Mirror was closed: waits up to `deadlineMs` for what is on its way to the bucket. Idempotent. */
  close(deadlineMs: number): Promise<void>;
};

/**
 * Throws `config-invalid`: the packages are not installed, an address that cannot be used, a port that is taken, a newer database. A database or a
 * bucket that does not answer now is no failure: the node goes on alone until it does.
 */
export async function openFleet({
  settings,
  local,
  blobs,
  ...observers
}: FleetOptions): Promise<OpenedFleet> {
  const { log, clock, metrics } = observers;
  const closing: (() => Promise<unknown>)[] = [];
  const closeAll = async () => {
    for (const close of closing.toReversed()) await close();
  };
  try {
    const bucket = await openS3Bucket(settings.bucket, { clock, log });
    closing.push(() => bucket.close());
    const database = await openFleetDatabase(settings.database, { log, clock });
    closing.push(() => database.close());
    const { node, internal } = settings;
    const peers = new Peers({ clock, secret: internal.secret, tls: internal.tls });
    closing.push(() => peers.close());
    const knowledge = postgresKnowledge(database);
    const metadata = sharedMetadata({ local, copies: local, shared: knowledge, log });
    // The listener has to be there before the others hear of it, and what it gives out comes later.
    let transfers: FleetTransfers | undefined;
    const listener = await listenInternally(internal, {
      ...observers,
      node,
      transfers: {
        filling: async (...asked) => await transfers?.filling(...asked),
        kept: async (...asked) => await transfers?.kept(...asked),
        map: async (...asked) => await transfers?.map(...asked),
      },
    });
    closing.push(() => listener.close());
    const fleet = new NodeFleet({
      ...{ node, clock, log, version },
      zone: settings.zone,
      address: addressOf(settings, listener.port),
      rows: new PostgresLeaseRows(database),
    });
    closing.push(() => fleet.close());
    const parts = {
      ...{ fleet, bucket, peers, blobs, clock, log, metrics },
      episodes: new Episodes(log, clock),
      uploads: new Semaphore(UPLOADS_AT_ONCE),
    };
    const sharing = new ShareStored(parts);
    const opened = new FleetTransfers(parts, (digest) => sharing.add(digest));
    transfers = opened;
    const stopHearing = fleet.onAnswering((isAnswering) => isAnswering && void metadata.flushShared());
    await fleet.start();
    log.info({ node, address: addressOf(settings, listener.port) }, `this is node ${node} of a fleet`);
    let closed: Promise<void> | undefined;
    return {
      ...{ metadata, fleet, transfers: opened },
      part: {
        follower: opened,
        origin: (key, own) => opened.origin(key, own),
        turns: new FleetTurns(fleet, clock),
        serve: (fills) => opened.serve(fills),
      },
      close: (deadlineMs) => {
        closed ??= (async () => {
          stopHearing();
          await within(Promise.all([opened.close(), sharing.close()]), deadlineMs, clock);
          await closeAll();
        })();
        return closed;
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** How the other nodes reach the internal listener. */
function addressOf({ internal }: FleetSettings, port: number): string {
  const scheme = internal.tls === undefined ? "http" : "https";
  const named = internal.address ?? hostname();
  const hasPort = /:\d+$/.test(named) && (!named.includes("::") || named.startsWith("["));
  return `${scheme}://${hasPort ? named : `${named}:${port}`}`;
}
