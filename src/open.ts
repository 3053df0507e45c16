/**
 * Owns the composition: settings become one running Mirror, or a Source that asks registries directly. The only file that
 * names concrete drivers. Nothing stays half-started: what was opened before a failure is closed again.
 */
import { type FileNews, type Rereading, readAgain, rereading } from "./config/file-news.ts";
import { readUpstreamTls } from "./config/files.ts";
import {
  passwordFileOf,
  type ReachOptions,
  reachedUpstream,
  withOwnCredentials,
} from "./config/reached-upstream.ts";
import type { Settings, UpstreamSettings } from "./config/settings.ts";
import { createLogins } from "./credentials/logins.ts";
import type { PasswordFile } from "./credentials/password-file.ts";
import type { Environment } from "./environment.ts";
import { isGranaryError, messageOf } from "./errors.ts";
import { Jobs } from "./jobs/jobs.ts";
import { type Database, openDatabase } from "./metadata/database.ts";
import type { Mirror } from "./mirror/mirror.ts";
import { databaseShareOf } from "./mirror/space/disk-measure.ts";
import { startMirror } from "./mirror/start-mirror.ts";
import { type Clock, foregroundClock } from "./observe/clock.ts";
import type { Log } from "./observe/log.ts";
import type { Observers } from "./observe/observers.ts";
import { openRecords, type Records } from "./records/records.ts";
import type { Source } from "./source.ts";
import { closeToOthers } from "./store/close-to-others.ts";
import { openDiskBlobs } from "./store/disk-blobs.ts";
import { findLayout, findStorage, type Layout, makeFolders } from "./store/layout.ts";
import { openSpool } from "./store/spool.ts";
import { createUpstreamClient } from "./upstream/client.ts";
import { registrySource } from "./upstream/registry/registry-source.ts";
import type { UpstreamClient } from "./upstream/upstream-client.ts";
import { version } from "./version.ts";

const userAgent = `granary/${version}`;

/** A Mirror with its upstreams' files: certificates, keys and passwords that change under a running process. */
export type OpenedMirror = Mirror & {
  /** Reads them again. Where a file cannot be used, its last content stays in use; the others are not affected. */
  readFilesAgain(): Promise<readonly FileNews[]>;
};

/** The same with everything that only a server needs. */
export type OpenedCache = OpenedMirror & { readonly records: Records; readonly jobs: Jobs };

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
  const cache = await openDirectory(settings, observers, env);
  await cache.jobs.open();
  return cache;
}

async function openDirectory(
  settings: Settings,
  observers: Observers,
  env: Environment,
): Promise<OpenedCache> {
  const layout = await findLayout(settings.storage.directory);
  // The database's lock is the lock of the whole directory: nothing in there is touched before it is held.
  const database = openDatabase(layout.database, databaseShareOf(settings.storage));
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
  { metadata, jobs: rows }: Database,
  observers: Observers,
  { env, isAtRest = false }: { readonly env: Environment; readonly isAtRest?: boolean },
): Promise<OpenedCache> {
  const logins = createLogins({ env, clock: observers.clock });
  const records = openRecords(observers);
  const jobs = new Jobs({ ...observers, rows, events: records.events });
  const clients: UpstreamClient[] = [];
  const files: Rereading[] = [];
  try {
    for (const configured of settings.upstreams) {
      const { tls } = configured;
      const password = passwordFileOf(configured);
      const upstream = withOwnCredentials(configured, password, logins);
      const client = createUpstreamClient({
        upstream,
        userAgent,
        events: records.events,
        ...(tls !== undefined && { tls }),
        ...observers,
      });
      clients.push(client);
      files.push(...filesOf(configured, client, password));
    }
    const mirror = await startMirror({
      ...observers,
      clients,
      records,
      metadata,
      blobs: openDiskBlobs(layout),
      spool: openSpool(layout),
      makeFolders: () => makeFolders(layout),
      budget: settings.storage,
      random: Math.random,
      verifyEveryMs: settings.storage.verifyEveryMs ?? 0,
      isAtRest,
    });
    const close = async (deadlineMs: number) => {
      await jobs.close(deadlineMs);
      await mirror.close(deadlineMs);
    };
    return { ...mirror, records, jobs, close, readFilesAgain: () => readAgain(files) };
  } catch (error) {
    await Promise.allSettled(clients.map((client) => client.close()));
    throw error;
  }
}

/** The upstream's own files: read again when somebody says so, its password also when it is refused. */
function filesOf(
  configured: UpstreamSettings,
  client: UpstreamClient,
  password: PasswordFile | undefined,
): Rereading[] {
  const key = `upstreams.${configured.name}`;
  const read = () => readUpstreamTls(configured, key);
  const tls = rereading(key, configured.tls, read, (found) => client.renewTls(found));
  const files = configured.tls === undefined ? [] : [tls];
  return password === undefined ? files : [...files, { key, read: () => password.readAgain() }];
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
    return createUpstreamClient({ upstream, clock, env, userAgent, ...(tls !== undefined && { tls }) });
  });
}
