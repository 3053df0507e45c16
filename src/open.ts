/**
 * Owns the composition: settings become one running Mirror, or a Source that asks registries directly. The only file that
 * names concrete drivers. Nothing stays half-started: what was opened before a failure is closed again.
 */
import { plainUpstream } from "./config/defaults.ts";
import { type FileNews, type Rereading, readAgain, rereading } from "./config/file-news.ts";
import { readUpstreamTls } from "./config/files.ts";
import type { Settings, UpstreamSettings } from "./config/settings.ts";
import { isOwnHost, registryNames } from "./credentials/login-names.ts";
import { createLogins, type Logins } from "./credentials/logins.ts";
import { PasswordFile } from "./credentials/password-file.ts";
import type { Environment } from "./environment.ts";
import { isGranaryError, messageOf } from "./errors.ts";
import type { Metadata } from "./metadata/metadata.ts";
import { openSqliteMetadata } from "./metadata/sqlite-metadata.ts";
import type { Mirror } from "./mirror/mirror.ts";
import { databaseShareOf } from "./mirror/space/disk-measure.ts";
import { startMirror } from "./mirror/start-mirror.ts";
import type { VerifyOptions, VerifyReport } from "./mirror/upkeep/verify.ts";
import { verifyAlone } from "./mirror/upkeep/verify-alone.ts";
import { type Clock, foregroundClock } from "./observe/clock.ts";
import { type Log, silentLog } from "./observe/log.ts";
import { createMetrics } from "./observe/metrics.ts";
import type { Observers } from "./observe/observers.ts";
import { type Credentials, type CredentialsOf, identityWith, identityWithout } from "./oci/credentials.ts";
import type { Source } from "./source.ts";
import { closeToOthers } from "./store/close-to-others.ts";
import { openDiskBlobs } from "./store/disk-blobs.ts";
import { findLayout, findStorage, type Layout, makeFolders } from "./store/layout.ts";
import { openSpool } from "./store/spool.ts";
import { createUpstreamClient } from "./upstream/client.ts";
import type { TlsMaterial } from "./upstream/network/trust.ts";
import type { Upstream } from "./upstream/policy.ts";
import { registrySource } from "./upstream/registry/registry-source.ts";
import type { UpstreamClient } from "./upstream/upstream-client.ts";
import { version } from "./version.ts";

const userAgent = `granary/${version}`;

/** A Mirror with its upstreams' files: certificates, keys and passwords that change under a running process. */
export type OpenedMirror = Mirror & {
  /** Reads them again. Where a file cannot be used, its last content stays in use; the others are not affected. */
  readFilesAgain(): Promise<readonly FileNews[]>;
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
  const layout = await findLayout(settings.storage.directory);
  // The database's lock is the lock of the whole directory: nothing in there is touched before it is held.
  const metadata = openSqliteMetadata(layout.database, databaseShareOf(settings.storage));
  try {
    await makeFoldersUnlessFull(layout);
    await closeStorage(layout, observers.log);
    return await start(settings, layout, metadata, observers, env);
  } catch (error) {
    await metadata.close();
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
  metadata: Metadata,
  observers: Observers,
  env: Environment,
): Promise<OpenedMirror> {
  const logins = createLogins({ env, clock: observers.clock });
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
        ...(tls !== undefined && { tls }),
        ...observers,
      });
      clients.push(client);
      files.push(...filesOf(configured, client, password));
    }
    const mirror = await startMirror({
      ...observers,
      clients,
      metadata,
      blobs: openDiskBlobs(layout),
      spool: openSpool(layout),
      makeFolders: () => makeFolders(layout),
      budget: settings.storage,
      random: Math.random,
      verifyEveryMs: settings.storage.verifyEveryMs ?? 0,
    });
    return { ...mirror, readFilesAgain: () => readAgain(files) };
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

function passwordFileOf({
  name,
  credentials,
  passwordFile: file,
}: UpstreamSettings): PasswordFile | undefined {
  if (file === undefined || credentials === undefined) return undefined;
  if (typeof credentials === "function" || !("password" in credentials)) return undefined;
  return new PasswordFile({ credentials, file, path: `upstreams.${name}.passwordFile` });
}

/** Without the keys that are for whoever opens it. */
function withOwnCredentials(
  { tls: _, credentialsFrom, passwordFile: __, ...upstream }: UpstreamSettings,
  password: PasswordFile | undefined,
  logins: Logins,
): Upstream {
  if (credentialsFrom !== undefined) return withLogins(upstream, logins);
  return password === undefined ? upstream : { ...upstream, credentials: async () => password.identity() };
}

/**
 * Verifies the storage directory `directory`, which no server may hold meanwhile. Throws `config-invalid` where there is none or it is in
 * use, `store-damaged` for a database or layout that cannot be used, `aborted`.
 */
export async function verifyStorage(directory: string, options: VerifyOptions): Promise<VerifyReport> {
  const layout = await findStorage(directory);
  const metadata = openSqliteMetadata(layout.database);
  try {
    const observers = { log: silentLog, metrics: createMetrics(), clock: foregroundClock };
    return await verifyAlone({ metadata, store: openDiskBlobs(layout), ...observers }, options);
  } finally {
    await metadata.close();
  }
}

export type SourceOptions = {
  /** Whose upstreams are reached by their settings; any other registry by its own name. */
  readonly settings: Settings;
  /** Base URL of a Granary, or of any registry, that is asked in place of the registry that a name implies. */
  readonly via?: string;
  /** Plain HTTP to the registries that names imply. */
  readonly insecure?: boolean;
  /**
   * Given by the caller: they win over everything that is configured, and go to the registry that a name implies, or to `via`. Without
   * them the settings' count, and where those are silent the login files.
   */
  readonly credentials?: Credentials;
  /** PEM text of certificate authorities that are trusted beside the usual ones and those of the settings. */
  readonly ca?: string;
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
  settings,
  via,
  insecure,
  credentials,
  ca,
  env = process.env,
  clock = foregroundClock,
}: SourceOptions): Source {
  const logins = createLogins({ env, clock });
  return registrySource((registry) => {
    const configured = configuredOf(settings, registry);
    const { tls: ownTls } = configured;
    const reached = {
      ...withOwnCredentials(configured, passwordFileOf(configured), logins),
      ...(insecure === true && { endpoints: [`http://${registry}`], internal: true }),
      ...(via !== undefined && viaEndpoint(via, registry)),
    };
    const upstream = withCredentials(reached, credentials, logins);
    const tls = withAuthority(ownTls, ca);
    return createUpstreamClient({ upstream, clock, env, userAgent, ...(tls !== undefined && { tls }) });
  });
}

function withAuthority(tls: TlsMaterial | undefined, ca: string | undefined): TlsMaterial | undefined {
  if (ca === undefined) return tls;
  return { ...tls, ca: tls?.ca === undefined ? ca : `${tls.ca}\n${ca}` };
}

function withCredentials(upstream: Upstream, given: Credentials | undefined, logins: Logins): Upstream {
  if (given !== undefined) return { ...upstream, credentials: givenTo(upstream, given) };
  return upstream.credentials === undefined ? withLogins(upstream, logins) : upstream;
}

/** A mirror never gets the login of the registry that it mirrors: it gets what the login files have for its own host. */
function withLogins(upstream: Upstream, logins: Logins): Upstream {
  const credentials: CredentialsOf = ({ host, repository }) =>
    logins.find({ names: registryNames(upstream, host), repository });
  return { ...upstream, credentials };
}

/** Not for mirrors that stand beside the registry's own endpoints; where none is its own, they are the registry. */
function givenTo(upstream: Upstream, given: Credentials): CredentialsOf {
  const credentials = { rule: "the caller", ...given };
  const hosts = upstream.endpoints.map((endpoint) => new URL(endpoint).host);
  const hasOwn = hosts.some((host) => isOwnHost(upstream, host));
  return async ({ host }) =>
    !hasOwn || isOwnHost(upstream, host) ? identityWith(credentials) : identityWithout(host);
}

function configuredOf(settings: Settings, registry: string): UpstreamSettings {
  const isNamed = ({ name, aliases }: UpstreamSettings) => name === registry || aliases.includes(registry);
  const plain = { ...plainUpstream(registry), internal: true, tls: undefined };
  return settings.upstreams.find(isNamed) ?? { ...plain, endpoints: [`${schemeOf(registry)}://${registry}`] };
}

/** Docker and go-containerregistry speak plain HTTP to this very machine as well. */
function schemeOf(registry: string): "http" | "https" {
  return /^(?:localhost|127\.[0-9.]+|\[::1\])(?::|$)/.test(registry) ? "http" : "https";
}

/** The registry's own credentials are not for a mirror of it. */
function viaEndpoint(via: string, registry: string) {
  return {
    endpoints: [via.replace(/\/+$/, "")],
    ns: registry,
    internal: true,
    realms: [],
    credentials: undefined,
  };
}
