/**
 * Owns the way from a configuration file to Settings: defaults are filled in, the files that it names are read, and all of it is checked.
 * Nothing starts on a bad file. Every error names the key and what is allowed there; secrets never appear in a message. It is long because
 * whatever has no file of its own in sections/ is read here, and one place makes all of it into Settings.
 */
import type { Environment } from "../environment.ts";
import { GranaryError, messageOf } from "../errors.ts";
import { systemClock } from "../observe/clock.ts";
import type { PasswordCredentials } from "../oci/credentials.ts";
import { parsePullName } from "../routing/pull-name.ts";
import { readProxies } from "../upstream/network/proxies.ts";
import type { Policy, Upstream } from "../upstream/policy.ts";
import { checkSettings } from "./check-settings.ts";
import { readConfig, readListeners, readStorageSection, readWithoutSecrets } from "./config-file.ts";
import {
  BUILT_IN_UPSTREAMS,
  DEFAULT_CLIENTS,
  DEFAULT_DRAIN_MS,
  DEFAULT_LISTENERS,
  DEFAULT_LOG,
  DEFAULT_STORAGE,
  plainUpstream,
} from "./defaults.ts";
import { type Filled, withoutFilled } from "./environment.ts";
import { passwordFrom, readListenerTls, readText, readUpstreamTls } from "./files.ts";
import { NamedFiles } from "./named-files.ts";
import type { ConfigFile } from "./schema.ts";
import { adminSettings } from "./sections/admin.ts";
import { bandwidthSettings } from "./sections/bandwidth.ts";
import { fleetSettings } from "./sections/fleet.ts";
import { keepSettings } from "./sections/keep.ts";
import { passageSettings } from "./sections/passage.ts";
import { prefetchSetting } from "./sections/prefetch.ts";
import { proxySettings } from "./sections/proxy.ts";
import { resolverSettings } from "./sections/resolver.ts";
import { trafficSettings } from "./sections/traffic.ts";
import { verifySetting } from "./sections/verify.ts";
import { warmSettings } from "./sections/warm.ts";
import type {
  AdminSettings,
  ClientSettings,
  ListenerSettings,
  Settings,
  StorageSettings,
  UpstreamSettings,
} from "./settings.ts";

type UpstreamFile = NonNullable<NonNullable<ConfigFile["upstreams"]>[string]>;
type ListenerFile = NonNullable<ConfigFile["listeners"]>[number];
type WrittenPlace = Pick<ListenerFile, "port" | "host" | "certFile" | "tlsFromCa">;

export type ListenerPlace = {
  readonly port: number;
  readonly host: string | undefined;
  /** PEM text of the certificate that it shows; undefined where it speaks plain http. */
  readonly certificate: string | undefined;
};

/**
 * The settings of `file`, or the built-in ones when there is none. Throws `config-invalid`, also for variables of `env` that name
 * proxies and cannot be used: better now than at the first request.
 */
export async function loadSettings(file: string | undefined, env: Environment): Promise<Settings> {
  return (await loadAgain(file, env, new NamedFiles())).settings;
}

/**
 * The same, where `files` has what earlier calls have read: a certificate or password file that cannot be used now keeps its last content,
 * and is one sentence of `problems`. So a half-written certificate stops nothing else from being renewed.
 */
export async function loadAgain(
  file: string | undefined,
  env: Environment,
  files: NamedFiles,
): Promise<{ readonly settings: Settings; readonly problems: readonly string[] }> {
  readProxies(env);
  const filled: Filled = new Map();
  try {
    const settings = await settingsOf(
      file === undefined ? {} : await readConfig(file, env, filled),
      env,
      files,
    );
    return { settings, problems: files.problems().map((each) => messageOf(withoutFilled(each, filled))) };
  } catch (error) {
    files.problems();
    throw withoutFilled(error, filled);
  }
}

/** The settings of `file`, or the built-in ones, without any secret and certificate: to look into what is stored. Throws `config-invalid`. */
export async function loadWithoutSecrets(file: string | undefined, env: Environment): Promise<Settings> {
  const written = file === undefined ? {} : await readWithoutSecrets(file, env);
  return await settingsOf(written, env, new NamedFiles());
}

/** Where blobs are stored, by `file`. Reads no other section, so variables that hold secrets need not be set. */
export async function loadStorage(file: string | undefined, env: Environment): Promise<StorageSettings> {
  return storageSettings(file === undefined ? undefined : await readStorageSection(file, env));
}

/** The first listener with a fixed port that answers by its address. Reads no other section. Throws `config-invalid`, also where the system chooses all of them. */
export async function loadPlace(file: string | undefined, env: Environment): Promise<ListenerPlace> {
  const listeners: readonly WrittenPlace[] =
    (file === undefined ? undefined : await readListeners(file, env)) ?? DEFAULT_LISTENERS;
  const index = listeners.findIndex(({ port, tlsFromCa }) => port !== 0 && tlsFromCa !== true);
  const { port, host, certFile } = listeners[index] ?? {};
  if (port === undefined) {
    throw new GranaryError(
      "config-invalid",
      `${file ?? "The configuration"} has no listener with a port of its own (port: 0, or tlsFromCa): name one by --url.`,
    );
  }
  const certificate =
    certFile === undefined ? undefined : await readText(certFile, `listeners.${index}.certFile`);
  return { port, host, certificate };
}

async function settingsOf(written: ConfigFile, env: Environment, files: NamedFiles): Promise<Settings> {
  const names = new Set([...Object.keys(BUILT_IN_UPSTREAMS), ...Object.keys(written.upstreams ?? {})]);
  const reached = await Promise.all(
    [...names].map((name) => upstreamSettings(name, written.upstreams?.[name] ?? {}, files)),
  );
  const upstreams = reached.map((upstream) => {
    const passage = passageSettings(written.upstreams?.[upstream.name] ?? {}, upstream.name, reached);
    return { ...upstream, passage };
  });
  const listeners = await Promise.all(
    (written.listeners ?? DEFAULT_LISTENERS).map((listener, index) =>
      listenerSettings(listener, index, files),
    ),
  );
  checkSettings(listeners, upstreams);
  const admin = await adminSettings(written.admin, env);
  return {
    listeners,
    storage: storageSettings(written.storage),
    upstreams,
    keep: keepSettings(written.keep ?? [], upstreams),
    traffic: trafficSettings(written.traffic ?? {}),
    bandwidth: bandwidthSettings(written.bandwidth ?? {}, upstreams),
    admin,
    warm: warmSettings(written.warm ?? {}, (text) => parsePullName(text, upstreams), systemClock.now()),
    ...present({
      prefetch: prefetchSetting(written.prefetch),
      verify: verifySetting(written.verify, systemClock.now()),
      fleet: await fleetSettings(written.fleet, files, takenPorts(listeners, admin)),
      proxy: proxySettings(written.proxy, takenPorts(listeners, admin)),
      resolver: resolverSettings(written.resolver),
    }),
    clients: clientSettings(written.clients ?? {}),
    drainMs: written.drain ?? DEFAULT_DRAIN_MS,
    log: { ...DEFAULT_LOG, ...present(written.log ?? {}) },
  };
}

function takenPorts(listeners: readonly ListenerSettings[], admin: AdminSettings | undefined) {
  const named = listeners.map(({ port, host }, index) => ({ key: `listeners.${index}`, port, host }));
  return admin === undefined ? named : [...named, { key: "admin", port: admin.port, host: admin.host }];
}

function storageSettings({ verifyEvery, ...rest }: ConfigFile["storage"] = {}): StorageSettings {
  const verifyEveryMs = verifyEvery === "never" ? 0 : verifyEvery;
  return { ...DEFAULT_STORAGE, ...present({ ...rest, verifyEveryMs }) };
}

async function upstreamSettings(
  name: string,
  written: UpstreamFile,
  files: NamedFiles,
): Promise<UpstreamSettings> {
  const { policy, ...builtIn } = BUILT_IN_UPSTREAMS[name] ?? {};
  const plain = plainUpstream(name);
  const own = present({
    aliases: both(builtIn.aliases, written.aliases),
    endpoints: written.endpoints?.map((url) => url.replace(/\/+$/, "")),
    realms: both(builtIn.realms, written.realms),
    internal: written.internal,
    caFile: written.caFile,
    clientCertFile: written.clientCertFile,
    clientKeyFile: written.clientKeyFile,
    names: written.names,
    forwardUserAgent: written.forwardUserAgent,
  });
  const upstream: Upstream = {
    ...plain,
    ...present(builtIn),
    ...own,
    credentials: await credentialsOf(name, written, files),
    policy: { ...plain.policy, ...policy, ...policyOf(written) },
  };
  const from = present({ credentialsFrom: written.credentials, passwordFile: written.passwordFile });
  const { caFile, clientCertFile, clientKeyFile } = upstream;
  const path = `upstreams.${name}`;
  const read = () => readUpstreamTls({ caFile, clientCertFile, clientKeyFile }, path);
  return {
    ...upstream,
    ...from,
    tls: await files.upstreamTls([path, caFile, clientCertFile, clientKeyFile], read),
  };
}

function policyOf(written: UpstreamFile): Partial<Policy> {
  const {
    tagLifetime,
    negativeLifetime,
    offlineDeadline,
    stall,
    headers,
    connect,
    outage,
    linger,
    starve,
    ...rest
  } = written;
  const {
    lanes,
    smallBlob,
    firstSegment,
    largestSegment,
    attempts,
    finish,
    rateLimitedStatus,
    privateContent,
  } = rest;
  return present({
    tagLifetimeMs: tagLifetime,
    negativeLifetimeMs: negativeLifetime,
    offlineDeadlineMs: offlineDeadline,
    stallMs: stall,
    headersMs: headers,
    connectMs: connect,
    outageMs: outage,
    lingerMs: linger,
    starveMs: starve,
    lanes,
    smallBlob,
    firstSegment,
    largestSegment,
    attempts,
    finish,
    rateLimitedStatus,
    privateContent,
  });
}

async function credentialsOf(
  name: string,
  { username, password, passwordFile, credentials }: UpstreamFile,
  files: NamedFiles,
): Promise<PasswordCredentials | undefined> {
  const path = `upstreams.${name}`;
  const isGiven = username !== undefined || password !== undefined || passwordFile !== undefined;
  if (credentials !== undefined && isGiven) {
    throw invalid(`${path}: give either credentials: ${credentials} or username and password, not both.`);
  }
  const secret = await files.password([path, password, passwordFile], () =>
    passwordFrom(path, { password, passwordFile }),
  );
  if (username === undefined && secret === undefined) return undefined;
  if (username === undefined || secret === undefined) {
    throw invalid(`${path}: credentials need a username and a password (or passwordFile).`);
  }
  return { username, password: secret };
}

async function listenerSettings(
  written: ListenerFile,
  index: number,
  named: NamedFiles,
): Promise<ListenerSettings> {
  const path = `listeners.${index}`;
  const { port, host, upstream, login, certFile, keyFile, tlsFromCa } = written;
  if (tlsFromCa === true) checkTlsFromCa(written, path);
  const files = present({ certFile, keyFile, passwordFile: login?.passwordFile });
  const tls = await named.listenerTls([path, certFile, keyFile], () => readListenerTls(files, path));
  const common = {
    ...{ port, host, upstream, tls },
    ...(tlsFromCa === true && { tlsFromCa }),
    ...(Object.keys(files).length > 0 && { files }),
  };
  if (login === undefined) return { ...common, login: undefined };
  const key = `${path}.login`;
  const password = await named.password([key, login.password, login.passwordFile], () =>
    passwordFrom(key, login),
  );
  if (password === undefined) throw invalid(`${path}.login: a password or passwordFile is needed.`);
  return { ...common, login: { username: login.username, password } };
}

function checkTlsFromCa({ certFile, keyFile, login }: ListenerFile, path: string): void {
  if (certFile !== undefined || keyFile !== undefined)
    throw invalid(`${path}: give either tlsFromCa or certFile and keyFile, not both.`);
  if (login !== undefined)
    throw invalid(`${path}: with tlsFromCa there is no login: what clients show there is for the registry.`);
}

function clientSettings({ stall, ...limits }: NonNullable<ConfigFile["clients"]>): ClientSettings {
  return { ...DEFAULT_CLIENTS, ...present({ ...limits, stallMs: stall }) };
}

/** Names that are built in stay; a file adds to them. */
function both(builtIn: readonly string[] = [], written: readonly string[] = []): readonly string[] {
  return [...new Set([...builtIn, ...written])];
}

/** `values` without the keys that are undefined, so that a spread does not overwrite a default with nothing. */
function present<T extends object>(values: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>;
  };
}

function invalid(message: string): GranaryError {
  return new GranaryError("config-invalid", message);
}
