/**
 * Owns the way from a file to Settings: read, substitute secrets, check, fill in defaults. Nothing starts on a bad file, and
 * every complaint carries the path of the key and what is allowed there. Secrets never appear in a message.
 */
import type { z } from "zod";
import type { Environment } from "../environment.ts";
import { GranaryError } from "../errors.ts";
import type { PasswordCredentials } from "../oci/credentials.ts";
import { asObject } from "../oci/json-value.ts";
import { withoutUserInfo } from "../oci/redact.ts";
import { readProxies } from "../upstream/network/proxies.ts";
import type { Policy, Upstream } from "../upstream/policy.ts";
import { checkSettings } from "./check-settings.ts";
import {
  BUILT_IN_UPSTREAMS,
  DEFAULT_CLIENTS,
  DEFAULT_DRAIN_MS,
  DEFAULT_LISTENERS,
  DEFAULT_LOG,
  DEFAULT_STORAGE,
  plainUpstream,
} from "./defaults.ts";
import { type Filled, fillEnvironment, withoutFilled } from "./environment.ts";
import { passwordFrom, readListenerTls, readText, readUpstreamTls } from "./files.ts";
import { readYaml } from "./read-yaml.ts";
import { type ConfigFile, fileSchema } from "./schema.ts";
import type {
  ClientSettings,
  ListenerSettings,
  Settings,
  StorageSettings,
  UpstreamSettings,
} from "./settings.ts";

type UpstreamFile = NonNullable<NonNullable<ConfigFile["upstreams"]>[string]>;
type ListenerFile = NonNullable<ConfigFile["listeners"]>[number];

/**
 * The settings of `file`, or the built-in ones when there is none. Throws `config-invalid`, also for variables of `env` that name
 * proxies and cannot be used: better now than at the first request.
 */
export async function loadSettings(file: string | undefined, env: Environment): Promise<Settings> {
  readProxies(env);
  const filled: Filled = new Map();
  try {
    return await settingsOf(file === undefined ? {} : await readConfig(file, env, filled));
  } catch (error) {
    throw withoutFilled(error, filled);
  }
}

async function settingsOf(written: ConfigFile): Promise<Settings> {
  const names = new Set([...Object.keys(BUILT_IN_UPSTREAMS), ...Object.keys(written.upstreams ?? {})]);
  const upstreams = await Promise.all(
    [...names].map((name) => upstreamSettings(name, written.upstreams?.[name] ?? {})),
  );
  const listeners = await Promise.all((written.listeners ?? DEFAULT_LISTENERS).map(listenerSettings));
  checkSettings(listeners, upstreams);
  return {
    listeners,
    storage: storageSettings(written.storage),
    upstreams,
    clients: clientSettings(written.clients ?? {}),
    drainMs: written.drain ?? DEFAULT_DRAIN_MS,
    log: { ...DEFAULT_LOG, ...present(written.log ?? {}) },
  };
}

function storageSettings({ verifyEvery, ...rest }: ConfigFile["storage"] = {}): StorageSettings {
  const verifyEveryMs = verifyEvery === "never" ? 0 : verifyEvery;
  return { ...DEFAULT_STORAGE, ...present({ ...rest, verifyEveryMs }) };
}

/** Where `file` keeps what is stored; nothing else of it is looked at, so that variables that hold secrets need not be set. */
export async function readStorage(file: string | undefined, env: Environment): Promise<StorageSettings> {
  if (file === undefined) return storageSettings();
  const document = asObject(readYaml(await readText(file, "--config"), file));
  const storage = document?.storage ?? undefined;
  const parsed = fileSchema.safeParse({ storage: fillEnvironment(storage, env, ["storage"]) });
  if (parsed.success) return storageSettings(parsed.data.storage);
  throw invalid(`${file}: ${parsed.error.issues.map(sentenceOf).join("; ")}.`);
}

async function readConfig(file: string, env: Environment, filled: Filled): Promise<ConfigFile> {
  const text = await readText(file, "--config");
  const document = fillEnvironment(readYaml(text, file), env, [], filled);
  const parsed = fileSchema.safeParse(document ?? {});
  if (parsed.success) return parsed.data;
  throw invalid(`${file}: ${parsed.error.issues.map(sentenceOf).join("; ")}.`);
}

/**
 * The listeners of `file` as they are written, or undefined where it has none. Nothing else of it is looked at, and of a login only
 * that there is one: variables that hold secrets need not be set.
 */
export async function readListeners(file: string, env: Environment): Promise<ConfigFile["listeners"]> {
  const document = asObject(readYaml(await readText(file, "--config"), file));
  if (document?.listeners === undefined) return undefined;
  const listeners = Array.isArray(document.listeners)
    ? document.listeners.map(withoutLogin)
    : document.listeners;
  const parsed = fileSchema.safeParse({ listeners: fillEnvironment(listeners, env, ["listeners"]) });
  if (parsed.success) return parsed.data.listeners;
  throw invalid(`${file}: ${parsed.error.issues.map(sentenceOf).join("; ")}.`);
}

function withoutLogin(listener: unknown): unknown {
  const written = asObject(listener);
  if (written === undefined) return listener;
  const { login: _, ...rest } = written;
  return rest;
}

/** "upstreams.docker.io.lanes: expected a number from 1 to 64". */
function sentenceOf(issue: z.core.$ZodIssue): string {
  const at = issue.path.map((key) => withoutUserInfo(String(key)));
  const path = at.join(".") || "the file";
  if (issue.code === "unrecognized_keys") {
    const keys = issue.keys.map((key) => [...at, shownKey(key)].join(".")).join(", ");
    return `${keys}: no such key; allowed ${issue.path.length === 0 ? "at the top" : `in ${path}`} are ${allowedAt(issue.path)}`;
  }
  return `${path}: ${issue.message.replace(/^Invalid input: /, "")}`;
}

/**
 * A key as it may be shown. Someone who forgets the space of `password: hunter2` makes one key of it, so only the part that looks like a
 * key is shown.
 */
function shownKey(key: string): string {
  const [begun = ""] = /^[\w-]*/.exec(key) ?? [];
  return begun === key ? key : `${begun}…`;
}

/** The keys that the schema has at `path`. */
function allowedAt(path: readonly PropertyKey[]): string {
  const [first] = path;
  const shapes: Record<string, object | undefined> = {
    storage: fileSchema.shape.storage.unwrap().shape,
    log: fileSchema.shape.log.unwrap().shape,
    clients: fileSchema.shape.clients.unwrap().shape,
    listeners: path.includes("login")
      ? fileSchema.shape.listeners.unwrap().element.shape.login.unwrap().shape
      : fileSchema.shape.listeners.unwrap().element.shape,
    upstreams: fileSchema.shape.upstreams.unwrap().valueType.unwrap().shape,
  };
  return Object.keys(shapes[String(first)] ?? fileSchema.shape).join(", ");
}

async function upstreamSettings(name: string, written: UpstreamFile): Promise<UpstreamSettings> {
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
    credentials: await credentialsOf(name, written),
    policy: { ...plain.policy, ...policy, ...policyOf(written) },
  };
  const from = present({ credentialsFrom: written.credentials, passwordFile: written.passwordFile });
  return { ...upstream, ...from, tls: await readUpstreamTls(upstream, `upstreams.${name}`) };
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
): Promise<PasswordCredentials | undefined> {
  const path = `upstreams.${name}`;
  const isGiven = username !== undefined || password !== undefined || passwordFile !== undefined;
  if (credentials !== undefined && isGiven) {
    throw invalid(`${path}: give either credentials: ${credentials} or username and password, not both.`);
  }
  const secret = await passwordFrom(path, { password, passwordFile });
  if (username === undefined && secret === undefined) return undefined;
  if (username === undefined || secret === undefined) {
    throw invalid(`${path}: credentials need a username and a password (or passwordFile).`);
  }
  return { username, password: secret };
}

async function listenerSettings(written: ListenerFile, index: number): Promise<ListenerSettings> {
  const path = `listeners.${index}`;
  const { port, host, upstream, login, certFile, keyFile } = written;
  const files = present({ certFile, keyFile, passwordFile: login?.passwordFile });
  const tls = await readListenerTls(files, path);
  const common = { port, host, upstream, tls, ...(Object.keys(files).length > 0 && { files }) };
  if (login === undefined) return { ...common, login: undefined };
  const password = await passwordFrom(`${path}.login`, login);
  if (password === undefined) throw invalid(`${path}.login: a password or passwordFile is needed.`);
  return { ...common, login: { username: login.username, password } };
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
