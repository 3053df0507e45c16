/**
 * Owns the composition of one node of a fleet: its database, its bucket, its leases, its internal listener, and what a Mirror needs of them. Loaded only
 * where the settings say that there is a fleet. Nothing stays half-started.
 */
import { hostname } from "node:os";
import type { FleetSettings } from "./config/settings.ts";
import { isGranaryError } from "./errors.ts";
import type { Bucket } from "./fleet/bucket.ts";
import { blobLease, type Fleet } from "./fleet/fleet.ts";
import { tellAskAnew } from "./fleet/knowledge/ask-anew.ts";
import { actOnNews } from "./fleet/knowledge/fleet-news.ts";
import { LateUses } from "./fleet/knowledge/late-uses.ts";
import type { SharedMetadata } from "./fleet/knowledge/shared-metadata.ts";
import { knownByAll } from "./fleet/known-by-all.ts";
import { Leadership } from "./fleet/leases/leadership.ts";
import { NodeFleet } from "./fleet/leases/node-fleet.ts";
import { Peers } from "./fleet/peers/peers.ts";
import { postgresBucketRows } from "./fleet/postgres/bucket-rows.ts";
import { bucketUse } from "./fleet/postgres/bucket-use.ts";
import { openFleetDatabase } from "./fleet/postgres/connection.ts";
import { fleetRemoval } from "./fleet/postgres/contents/content-removal.ts";
import { recordManifestUses } from "./fleet/postgres/contents/manifest-uses.ts";
import { PostgresJournal } from "./fleet/postgres/journal.ts";
import { PostgresLeaseRows } from "./fleet/postgres/lease-rows.ts";
import type { FleetRecords } from "./fleet/records/fleet-records.ts";
import { OwnRecords } from "./fleet/records/own-records.ts";
import { SeenRecords } from "./fleet/records/seen-records.ts";
import { openS3Bucket } from "./fleet/s3/s3-bucket.ts";
import { FleetTransfers } from "./fleet/transfers/fleet-transfers.ts";
import { shareAll } from "./fleet/transfers/share-all.ts";
import { ShareStored } from "./fleet/transfers/share-stored.ts";
import { FleetTurns } from "./fleet/turns.ts";
import { FleetHealth } from "./fleet/upkeep/fleet-health.ts";
import { FleetUpkeep } from "./fleet/upkeep/fleet-upkeep.ts";
import type { FleetView } from "./fleet/view/fleet-view.ts";
import { type NodeFacts, OwnState } from "./fleet/view/node-state.ts";
import { SeenFleet } from "./fleet/view/seen-fleet.ts";
import { type InternalListener, listenInternally } from "./http/internal/internal-listener.ts";
import type { Database } from "./metadata/database.ts";
import type { FleetPart, StartedMirror } from "./mirror/mirror-parts.ts";
import { Episodes } from "./observe/episodes.ts";
import type { Observers } from "./observe/observers.ts";
import type { Digest } from "./oci/digest.ts";
import type { Records } from "./records/records.ts";
import type { BlobStore } from "./store/blob-store.ts";
import { version } from "./version.ts";
import { within } from "./waiting/deadline.ts";
import { regularly } from "./waiting/regularly.ts";
import { Semaphore } from "./waiting/semaphore.ts";

/** Parts of 8 MiB and more that are in memory on their way to the bucket at one moment. */
const UPLOADS_AT_ONCE = 4;
/** Of those that list a blob: enough to find one of its upstream. */
const FEW_REPOSITORIES = 8;
/** For leases, and for everything else: four for each node in all. */
const CONNECTIONS = 2;
/** How often the disk is looked through for blobs that the bucket does not have. */
const SWEEP_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** How often a node looks whether the bucket answers. */
const LOOK_MS = 15_000;

export type FleetOptions = Observers & {
  readonly settings: FleetSettings;
  /** What this node knows by itself; the caller closes it. */
  readonly local: Pick<Database, "metadata" | "contents" | "rules" | "sightings">;
  readonly blobs: BlobStore;
};

type SeenByPeople = { readonly fleet: FleetView; readonly fleetRecords: FleetRecords };

export type OpenedFleet = Pick<Database, "contents" | "rules" | "sightings"> & {
  readonly metadata: SharedMetadata;
  readonly part: FleetPart;
  readonly fleet: NodeFleet;
  readonly transfers: FleetTransfers;
  /** What people see of the fleet; from now on the others hear how this node is, and what happened here. To be called once. */
  view(facts: Pick<NodeFacts, "budget">, records: Pick<Records, "events" | "traffic">): SeenByPeople;
  /** Whether this node begins what is done once for all. */
  readonly leads: () => boolean;
  /** Begins what this node does for all, and what it does when others tell news. `rereadRules`: those of the Mirror, and all others. */
  begin(mirror: StartedMirror, rereadRules: () => Promise<void>): void;
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
  try {
    const bucket = await openS3Bucket(settings.bucket, { clock, log });
    closing.push(() => bucket.close());
    // That it does not answer is told once, with what to do, by FleetHealth.
    const quiet = log.child({}, { level: log.isLevelEnabled("debug") ? "debug" : "error" });
    const connect = () =>
      openFleetDatabase(settings.database, { log: quiet, clock, mostConnections: CONNECTIONS });
    const database = await connect();
    closing.push(() => database.close());
    const { node, internal } = settings;
    const peers = new Peers({ clock, secret: internal.secret, tls: internal.tls });
    closing.push(() => peers.close());
    const ahead = await listenAhead(settings, observers);
    closing.push(() => ahead.listener.close());
    // Connections of their own: no heartbeat waits behind a slow question.
    const leases = new PostgresLeaseRows(await connect());
    const address = addressOf(settings, ahead.listener.port);
    let state: OwnState | undefined;
    const told = () => state?.told ?? {};
    const about = { node, version, zone: settings.zone, address, told };
    const fleet = new NodeFleet({ ...about, clock, log, rows: leases });
    closing.push(() => fleet.close());
    const episodes = new Episodes(log, clock);
    const uploads = new Semaphore(UPLOADS_AT_ONCE);
    const parts = { fleet, bucket, peers, blobs, uploads, episodes, clock, log, metrics };
    const sharing = new ShareStored(parts);
    const transfers = new FleetTransfers(parts, (digest) => sharing.add(digest));
    ahead.serve(transfers);
    const rows = postgresBucketRows(database, leases);
    const journal = new PostgresJournal(database, fleet.process);
    const uses = new LateUses(async (used) => {
      await recordManifestUses(database, used);
      await rows.touch([...used.keys()]);
    });
    const leadership = new Leadership(fleet);
    closing.push(() => leadership.close());
    const known = knownByAll(database, local, journal, {
      ...{ log, clock, leads: () => leadership.isMine },
      used: (used) => uses.add(used),
      imported: (digests) => sharing.addAll(digests),
    });
    const { metadata } = known;
    closing.push(stopOf(fleet.onAnswering((isAnswering) => isAnswering && void metadata.flushShared())));
    // What could not be read now is read with the next beat.
    closing.push(stopOf(fleet.onBeat(() => void journal.read().catch(() => undefined))));
    await fleet.start();
    log.info({ node, address }, `this is node ${node} of a fleet`);
    const begin: OpenedFleet["begin"] = (mirror, rereadRules) => {
      const left = (leaving: Parameters<typeof mirror.contents.leftElsewhere>[0]) =>
        mirror.contents.leftElsewhere(leaving, local.contents);
      const askAnew = (names: Parameters<typeof mirror.askAnew>[0]) => mirror.askAnew(names);
      closing.push(stopOf(actOnNews(journal, { left, askAnew, rules: rereadRules }, log)));
      const health = new FleetHealth({ fleet, bucket, troubles: mirror.troubles });
      closing.push(stopOf(() => health.close()));
      closing.push(regularly(clock, LOOK_MS, () => health.look()));
      const upkeep = new FleetUpkeep({
        ...{ bucket, rows, fleet, clock, log },
        isKept: (digest) => mirror.keeps(digest),
        maxSize: settings.bucket.maxSize ?? Number.POSITIVE_INFINITY,
        leaving: fleetRemoval(database),
        prune: async () => {
          await journal.prune();
          await leases.clearOld();
        },
      });
      closing.push(regularly(clock, MINUTE_MS, () => upkeep.round()));
      // It may be another database that answers now, and one that knows nothing of the bucket yet.
      closing.push(stopOf(fleet.onAnswering((isAnswering) => isAnswering && void upkeep.round())));
      // What could not be written is written with the next round.
      closing.push(regularly(clock, MINUTE_MS, () => uses.flush().catch(() => undefined)));
      closing.push(regularly(clock, SWEEP_MS, () => shareAll(local.metadata, rows, sharing)));
    };
    const view: OpenedFleet["view"] = (facts, records) => {
      const served = () => records.traffic.totals().all.served;
      const unshared = () => sharing.waiting;
      const stored = async () => (await local.metadata.sums()).bytes;
      const own = { ...facts, served, fills: () => transfers.running, stored, unshared };
      state = new OwnState(own, { clock, log });
      const seen = new SeenFleet({
        ...{ fleet, clock, unshared },
        bucketUse: () => bucketUse(database),
        bucketLimit: () => settings.bucket.maxSize,
        repositories: (digest) => local.contents.repositoriesWith(digest, FEW_REPOSITORIES),
      });
      const told = new OwnRecords(records);
      ahead.tell(told);
      return { fleet: seen, fleetRecords: new SeenRecords({ view: seen, peers, own: told, clock }) };
    };
    let closed: Promise<void> | undefined;
    const close = async (deadlineMs: number) => {
      await within(Promise.all([transfers.close(), sharing.close()]), deadlineMs, clock);
      await closeAll(closing);
    };
    return {
      ...known,
      ...{ fleet, transfers, begin, view, leads: () => leadership.isMine },
      part: {
        ...partOf(transfers, fleet, observers),
        tellAskAnew: (names) => tellAskAnew(journal, names),
        unneeded: known.unneeded,
        ...(settings.redirectMs > 0 && { addressOf: addressesOf(parts, settings.redirectMs) }),
      },
      close: (deadlineMs) => {
        closed ??= close(deadlineMs);
        return closed;
      },
    };
  } catch (error) {
    await closeAll(closing);
    throw error;
  }
}

function partOf(
  transfers: FleetTransfers,
  fleet: Fleet,
  { clock }: Observers,
): Omit<FleetPart, "unneeded" | "addressOf" | "tellAskAnew"> {
  return {
    follower: transfers,
    origin: (key, own) => transfers.origin(key, own),
    turns: new FleetTurns(fleet, clock),
    serve: (fills) => transfers.serve(fills),
  };
}

/** Longer than that no address lives, whatever the settings say: the bucket's grace is counted from it. */
const LONGEST_ADDRESS_MS = 10 * MINUTE_MS;

/** Signed addresses of what is stored. While the fleet cannot be asked there are none, and clients are served from here. */
function addressesOf({ fleet, bucket }: { readonly fleet: Fleet; readonly bucket: Bucket }, forMs: number) {
  return async (digest: Digest): Promise<string | undefined> => {
    try {
      const standing = await fleet.resolve(digest, blobLease("", digest));
      if (standing.is !== "stored") return undefined;
      return (await bucket.sign(standing.object.objectKey, Math.min(forMs, LONGEST_ADDRESS_MS))).url;
    } catch (error) {
      if (isGranaryError(error, "fleet-unavailable")) return undefined;
      throw error;
    }
  };
}

type AheadOfOthers = {
  readonly listener: InternalListener;
  serve(transfers: FleetTransfers): void;
  tell(records: OwnRecords): void;
};

/** The listener has to be there before the others hear of it; what it gives out comes later. */
async function listenAhead({ internal, node }: FleetSettings, observers: Observers): Promise<AheadOfOthers> {
  let transfers: FleetTransfers | undefined;
  let records: OwnRecords | undefined;
  const listener = await listenInternally(internal, {
    ...observers,
    node,
    transfers: {
      filling: async (...asked) => await transfers?.filling(...asked),
      kept: async (...asked) => await transfers?.kept(...asked),
      map: async (...asked) => await transfers?.map(...asked),
    },
    records: async (question) => await records?.answer(question),
  });
  return {
    listener,
    serve: (made) => {
      transfers = made;
    },
    tell: (made) => {
      records = made;
    },
  };
}

/** How the other nodes reach the internal listener. */
function addressOf({ internal }: FleetSettings, port: number): string {
  const scheme = internal.tls === undefined ? "http" : "https";
  const named = internal.address ?? hostname();
  const hasPort = /:\d+$/.test(named) && (!named.includes("::") || named.startsWith("["));
  return `${scheme}://${hasPort ? named : `${named}:${port}`}`;
}

function stopOf(stop: () => void): () => Promise<void> {
  return async () => stop();
}

/** The last one first. */
async function closeAll(closing: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const close of closing.toReversed()) await close();
}
