/**
 * Owns the composition: settings become one running Mirror, or a Source that asks registries directly. The only file that
 * names concrete drivers. Nothing stays half-started: what was opened before a failure is closed again.
 * It is long because it lists every part once, in the order in which they are made and closed.
 */

import { hostPlatform } from "./client/images/host-platform.ts";
import {
  passwordFileOf,
  type ReachOptions,
  reachedUpstream,
  withOwnCredentials,
} from "./config/reached-upstream.ts";
import type { Settings, UpstreamSettings } from "./config/settings.ts";
import { createLogins } from "./credentials/logins.ts";
import type { Environment } from "./environment.ts";
import { isGranaryError, messageOf } from "./errors.ts";
import type { FleetRecords } from "./fleet/records/fleet-records.ts";
import type { FleetView } from "./fleet/view/fleet-view.ts";
import type { AttendedJobs } from "./jobs/attended-jobs.ts";
import type { Jobs } from "./jobs/jobs.ts";
import { type Database, openDatabase } from "./metadata/database.ts";
import type { Bundles } from "./mirror/bundles/bundles.ts";
import type { Contents } from "./mirror/contents/contents.ts";
import type { Imports } from "./mirror/imports/imports.ts";
import type { Mirror } from "./mirror/mirror.ts";
import type { PassagePart } from "./mirror/mirror-parts.ts";
import type { Relaying } from "./mirror/relaying.ts";
import { LineLimits } from "./mirror/rules/line-limits.ts";
import type { Offline } from "./mirror/rules/offline.ts";
import type { PassageDesk } from "./mirror/rules/passage-desk.ts";
import { databaseShareOf } from "./mirror/space/disk-measure.ts";
import { startMirror } from "./mirror/start-mirror.ts";
import { type Clock, foregroundClock } from "./observe/clock.ts";
import type { Log } from "./observe/log.ts";
import type { Observers } from "./observe/observers.ts";
import type { OpenedFleet } from "./opened-fleet.ts";
import { OpenedTasks } from "./opened-tasks.ts";
import { OpenedUpstreams } from "./opened-upstreams.ts";
import { openRecords, type Records } from "./records/records.ts";
import { DEFAULT_RECORDS } from "./records/retention.ts";
import { type ReloadPart, renewing } from "./reloading/reload-part.ts";
import { renewParts } from "./reloading/reloads.ts";
import type { Source } from "./source.ts";
import type { BlobStore } from "./store/blob-store.ts";
import { closeToOthers } from "./store/close-to-others.ts";
import { openDiskBlobs } from "./store/disk-blobs.ts";
import type { Layout } from "./store/layout.ts";
import { openSpool } from "./store/spool.ts";
import { findLayout, findStorage } from "./store/storage-directory.ts";
import { makeFolders } from "./store/storage-folders.ts";
import { createUpstreamClient } from "./upstream/client.ts";
import { Bandwidth } from "./upstream/network/bandwidth.ts";
import { resolverAt } from "./upstream/network/named-resolver.ts";
import { newVia } from "./upstream/network/via.ts";
import { registrySource } from "./upstream/registry/registry-source.ts";
import type { UpstreamClient } from "./upstream/upstream-client.ts";
import { version } from "./version.ts";
import type { WarmUps } from "./warm/warm-ups.ts";

const userAgent = `granary/${version}`;

/** A Mirror that can take other settings while it runs. */
export type OpenedMirror = Mirror & {
  /**
   * Uses upstreams, budget and rules of other settings from now on, also new certificates and passwords; pulls in flight go on. What else
   * differs needs another Mirror. Throws `config-invalid`, and changes nothing then.
   */
  renew(settings: Settings): Promise<void>;
};

/** The same with everything that only a server needs. */
export type OpenedCache = OpenedMirror & {
  /** What is stored, as people ask of it and steer it. */
  readonly contents: Contents;
  readonly records: Records;
  readonly offline: Offline;
  readonly relaying: Relaying;
  /** What its requests to registries say, so that they are known when they come back. */
  readonly via: string;
  readonly bandwidth: LineLimits;
  readonly jobs: Jobs;
  readonly warmUps: WarmUps;
  readonly importing: AttendedJobs;
  readonly exporting: AttendedJobs;
  readonly imports: Imports;
  readonly bundles: Bundles;
  readonly reloadParts: readonly ReloadPart<Settings>[];
  readonly passage: PassageDesk;
  /** Set on a node of a fleet. */
  readonly fleet: FleetView | undefined;
  readonly fleetRecords: FleetRecords | undefined;
};

/**
 * Opens the storage directory and everything on it. The caller closes the Mirror, which also lets go of the directory.
 * Throws `config-invalid` (directory not usable, or in use), `store-damaged` (database or layout). `env` says where login files and
 * their helpers are, for upstreams that use them.
 */
export async function openMirror(
  settings: Settings,
  observers: Observers,
  env: Environment = process.env,
): Promise<OpenedMirror> {
  return await openDirectory(settings, observers, env);
}

/** As openMirror; jobs that ran when the last process ended go on. `close` ends them first. */
export async function openCache(
  settings: Settings,
  observers: Observers,
  env: Environment = process.env,
): Promise<OpenedCache> {
  const cache: BegunLater = await openDirectory(settings, observers, env);
  await cache.begin();
  return cache;
}

/** `begin` begins what a server does by itself. */
type BegunLater = OpenedCache & { begin(): Promise<void> };

async function openDirectory(
  settings: Settings,
  observers: Observers,
  env: Environment,
): Promise<BegunLater> {
  const layout = await findLayout(settings.storage.directory);
  // The database's lock is the lock of the whole directory: nothing in there is touched before it is held.
  const database = openDatabase(layout.database, databaseShareOf(settings.storage), settings.storage.maxSize);
  try {
    await makeFoldersUnlessFull(layout);
    await closeStorage(layout, observers.log);
    return await start(settings, layout, database, observers, { env });
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Without room for a folder the Mirror starts all the same: it tries again, says so, and passes through until then. */
async function makeFoldersUnlessFull(layout: Layout): Promise<void> {
  try {
    await makeFolders(layout);
  } catch (error) {
    if (!isGranaryError(error, "store-full")) throw error;
  }
}

/** What an earlier Granary left open to everybody on the machine. */
async function closeStorage(layout: Layout, log: Log): Promise<void> {
  const { directory } = layout;
  try {
    const closed = await closeToOthers(layout);
    if (closed === 0) return;
    const text = "the storage directory could be read by everybody on this machine: closed (0750, 0640)";
    log.info({ directory, closed }, text);
  } catch (error) {
    log.warn({ directory, reason: messageOf(error) }, "not all of the storage directory could be closed");
  }
}

async function start(
  settings: Settings,
  layout: Layout,
  database: Database,
  observers: Observers,
  { env, isAtRest = false }: { readonly env: Environment; readonly isAtRest?: boolean },
): Promise<BegunLater> {
  const logins = createLogins({ env, clock: observers.clock });
  const { bound } = database;
  const records = openRecords({ ...observers, rows: database.records, settings: settings.traffic, isAtRest });
  const line = new Bandwidth(observers.clock);
  const via = newVia();
  const upstreams = new OpenedUpstreams((configured) => {
    const { tls } = configured;
    const upstream = withOwnCredentials(configured, passwordFileOf(configured), logins);
    return createUpstreamClient({
      upstream,
      userAgent,
      via,
      records,
      bandwidth: line,
      ...(tls !== undefined && { tls }),
      ...lookupOf(settings, observers.clock),
      ...observers,
    });
  });
  const spool = openSpool(layout);
  const blobs = openDiskBlobs(layout);
  const fleet = isAtRest ? undefined : await fleetOf(settings, database, blobs, observers);
  const { metadata, contents, rules, sightings } = fleet ?? database;
  try {
    const mirror = await startMirror({
      fleet: fleet?.part,
      ...observers,
      clients: upstreams.open(settings.upstreams),
      records,
      ...{ metadata, contents, bound, rules, spool },
      blobs,
      makeFolders: () => makeFolders(layout),
      budget: settings.storage,
      sightings,
      keep: settings.keep ?? [],
      passage: passageOf(settings),
      random: Math.random,
      verifyEveryMs: settings.storage.verifyEveryMs ?? 0,
      isAtRest,
      host: hostPlatform(),
    });
    const bandwidth = new LineLimits(
      { bandwidth: line, rows: rules, clock: observers.clock, upstreams: () => upstreams.current },
      settings.bandwidth ?? {},
    );
    await bandwidth.open();
    fleet?.begin(mirror, async () => {
      await mirror.rereadRules();
      await bandwidth.open();
    });
    const tasks = new OpenedTasks({
      ...{ ...observers, rows: database.jobs, mirror, events: records.events },
      ...{ contents, removals: mirror.contents, isAtRest, upstreams: () => upstreams.current },
      isHere: async (digest) => (await metadata.blob(digest)) !== undefined,
      partials: () => spool.list(),
      leads: fleet?.leads,
    });
    const { jobs, warmUps, prefetch, importing, exporting } = tasks;
    const close = async (deadlineMs: number) => {
      bandwidth.close();
      await tasks.close(deadlineMs);
      await mirror.close(deadlineMs);
      await fleet?.close(deadlineMs);
    };
    const manifest: Mirror["manifest"] = (target, ask) => {
      const asked = mirror.manifest(target, ask);
      if (!prefetch.isOn) return asked;
      return asked.then((answer) => {
        prefetch.served(target, ask, answer);
        return answer;
      });
    };
    const manifestAtOnce: Mirror["manifestAtOnce"] = (target, ask, isHead) => {
      const answer = mirror.manifestAtOnce(target, ask, isHead);
      if (answer !== undefined && !isHead && prefetch.isOn) prefetch.served(target, ask, answer);
      return answer;
    };
    let budget = settings.storage.maxSize;
    const reloadParts = [
      renewing<Settings>(["storage.maxSize", "storage.minFree"], ({ storage }) => {
        budget = storage.maxSize;
        bound.renew({ maxBytes: databaseShareOf(storage), mostBytes: storage.maxSize });
        mirror.renewBudget(storage);
      }),
      renewing<Settings>(["storage.verifyEvery"], ({ storage }) =>
        mirror.renewVerifying(storage.verifyEveryMs ?? 0),
      ),
      renewing<Settings>(["keep"], ({ keep = [] }) => mirror.renewKeep(keep)),
      renewing<Settings>(["traffic"], ({ traffic = DEFAULT_RECORDS }) => records.renew(traffic)),
      renewing<Settings>(["bandwidth"], (next) => bandwidth.renew(next.bandwidth ?? {})),
      upstreams.reloadPart((clients) => mirror.renewUpstreams(clients)),
      renewing<Settings>(["upstreams"], (next) => mirror.renewPassage(passageOf(next))),
      tasks.reloadPart,
    ];
    const answers = { manifest, manifestAtOnce };
    const seen = fleet?.view({ budget: () => budget }, records);
    const inFleet = { fleet: seen?.fleet, fleetRecords: seen?.fleetRecords };
    const own = {
      ...inFleet,
      via,
      records,
      bandwidth,
      jobs,
      warmUps,
      importing,
      exporting,
      close,
      reloadParts,
    };
    return {
      ...mirror,
      ...own,
      ...answers,
      renew: (next) => renewParts(reloadParts, next),
      begin: () => tasks.begin(settings),
    };
  } catch (error) {
    await upstreams.close();
    await fleet?.close(0);
    throw error;
  }
}

/** What only a fleet needs is loaded only where there is one. */
async function fleetOf(
  { fleet: settings }: Settings,
  local: Database,
  blobs: BlobStore,
  observers: Observers,
): Promise<OpenedFleet | undefined> {
  if (settings === undefined) return undefined;
  const { openFleet } = await import("./opened-fleet.ts");
  return await openFleet({ ...observers, settings, local, blobs });
}

/** What the settings say of what may pass, of all upstreams together. */
function passageOf({ upstreams }: Settings): PassagePart {
  const rulesOf = (kind: "allow" | "deny") =>
    upstreams.flatMap(({ passage }) =>
      (passage?.[kind] ?? []).map((pattern) => ({ kind, pattern, from: "settings" as const })),
    );
  const cooldowns = new Map(upstreams.map(({ name, passage }) => [name, passage?.cooldownMs ?? 0]));
  return { rules: [...rulesOf("allow"), ...rulesOf("deny")], cooldowns };
}

/**
 * Opens the storage directory of `settings`, which no server may hold meanwhile, for one command: nothing in it changes but what the command
 * asks for, nothing is evicted, and no login is known. Throws `config-invalid` where there is no storage directory or it is in use,
 * `store-damaged` for a database or layout that cannot be used. The caller closes it.
 */
export async function openAtRest(settings: Settings, observers: Observers): Promise<OpenedCache> {
  const layout = await findStorage(settings.storage.directory);
  const database = openDatabase(layout.database);
  const storage = { ...settings.storage, maxSize: Number.POSITIVE_INFINITY, minFree: 0 };
  try {
    return await start({ ...settings, storage }, layout, database, observers, { env: {}, isAtRest: true });
  } catch (error) {
    await database.close();
    throw error;
  }
}

export type SourceOptions = ReachOptions & {
  /** Where login files, their helpers and proxies are; the process's own by default. */
  readonly env?: Environment;
  /** For requests; by default timers keep the process alive, because somebody waits. */
  readonly clock?: Clock;
};

/** A client of one upstream of the settings, with its own login: to ask it something beside a server. Nothing is sent yet; the caller closes it. */
export function openUpstream(
  configured: UpstreamSettings,
  settings: Pick<Settings, "resolver">,
): UpstreamClient {
  const [env, clock] = [process.env, foregroundClock];
  const { tls } = configured;
  const upstream = withOwnCredentials(configured, passwordFileOf(configured), createLogins({ env, clock }));
  const means = { ...(tls !== undefined && { tls }), ...lookupOf(settings, clock) };
  return createUpstreamClient({ upstream, clock, env, userAgent, ...means });
}

/**
 * A Source that asks registries directly and keeps nothing. Nothing is sent before the first question; the caller closes it.
 * A registry that no setting names may lie on a private address: whoever names it on a command line means it.
 */
export function openSource({
  env = process.env,
  clock = foregroundClock,
  ...options
}: SourceOptions): Source {
  const logins = createLogins({ env, clock });
  return registrySource((registry) => {
    const { upstream, tls } = reachedUpstream(registry, options, logins);
    // Another Granary is known to the DNS of this network, and may be to no other.
    const look = options.via === undefined ? lookupOf(options.settings, clock) : {};
    return createUpstreamClient({
      ...{ upstream, clock, env, userAgent },
      ...(tls !== undefined && { tls }),
      ...look,
    });
  });
}

/** Where the settings name DNS servers, those are asked. */
function lookupOf({ resolver }: Pick<Settings, "resolver">, clock: Clock) {
  return resolver === undefined ? {} : { lookup: resolverAt(resolver, clock) };
}
