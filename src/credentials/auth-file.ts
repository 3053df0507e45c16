/**
 * Owns the login files of docker and podman (docs/protocol.md#login-files): where they lie, what one of them holds, and what one entry of its
 * `auths` says. They are read and never written, and their content enters no message: errors name the file or the entry only.
 */
import { readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../environment.ts";
import { GranaryError } from "../errors.ts";
import type { Credentials } from "../oci/credentials.ts";
import { asObject, JSON_BOUNDS, type JsonObject, parseJsonObject, textOf } from "../oci/json-value.ts";

export type AuthFile = {
  readonly auths: JsonObject;
  /** Names of helpers by registry. */
  readonly credHelpers: JsonObject;
  /** The helper of all registries. */
  readonly credsStore: string | undefined;
};

export type AuthFilePlace = {
  readonly path: string;
  /** As messages show it: "~/.docker/config.json". */
  readonly shown: string;
};

const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;
const MAX_BYTES = 4 * 2 ** 20;

/** Where logins are looked for, in order; files that do not exist are among them. */
export function authFilePlaces(env: Environment): readonly AuthFilePlace[] {
  const home = present(env.HOME) ?? homedir();
  const runtime = present(env.XDG_RUNTIME_DIR);
  const paths = [
    present(env.REGISTRY_AUTH_FILE),
    runtime && join(runtime, "containers", "auth.json"),
    join(present(env.DOCKER_CONFIG) ?? join(home, ".docker"), "config.json"),
  ].filter((path) => path !== undefined);
  return paths.map((path) => ({ path, shown: shownPath(path, home) }));
}

/** undefined when there is no such file. Throws `config-invalid` when it cannot be read or is no login file. */
export async function readAuthFile({ path, shown }: AuthFilePlace): Promise<AuthFile | undefined> {
  const bytes = await readBytes(path, shown);
  if (bytes === undefined) return undefined;
  // Empty is what `REGISTRY_AUTH_FILE=/dev/null` means by it.
  const document = bytes.length === 0 ? {} : parseJsonObject(bytes, JSON_BOUNDS.login);
  if (document === undefined) throw invalid(shown, "is not a JSON object");
  const { auths = {}, credHelpers = {} } = document;
  return {
    auths: objectAt(auths, "auths", shown),
    credHelpers: objectAt(credHelpers, "credHelpers", shown),
    credsStore: textOf(document.credsStore),
  };
}

/**
 * The credentials of `entry`; undefined when it holds none (`{}` stands where a helper keeps them). `rule` names the entry in
 * messages. Throws `config-invalid`.
 */
export function parseAuthEntry(entry: JsonObject, rule: string): Credentials | undefined {
  const login = parseLogin(entry, rule);
  const username = login === undefined || login.username === "" ? {} : { username: login.username };
  const registryToken = textOf(entry.registrytoken);
  if (registryToken !== undefined) return { registryToken: headerText(registryToken, rule), rule };
  const identityToken = textOf(entry.identitytoken);
  if (identityToken !== undefined) return { identityToken, ...username, rule };
  return login === undefined || login.password === "" ? undefined : { ...login, rule };
}

async function readBytes(path: string, shown: string): Promise<Uint8Array | undefined> {
  try {
    if ((await stat(path)).size > MAX_BYTES) throw invalid(shown, `is larger than ${MAX_BYTES} bytes`);
    return await readFile(path);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (error instanceof GranaryError) throw error;
    throw invalid(shown, `cannot be read (${code})`);
  }
}

function objectAt(value: unknown, key: string, shown: string): JsonObject {
  const object = asObject(value ?? {});
  if (object === undefined) throw invalid(shown, `has "${key}" that is not an object`);
  return object;
}

function shownPath(path: string, home: string): string {
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}

function present(value: string | undefined): string | undefined {
  return value === "" ? undefined : value;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}

function invalid(shown: string, problem: string): GranaryError {
  return new GranaryError(
    "config-invalid",
    `The login file ${shown} ${problem}. Correct it, or log in again.`,
  );
}

function parseLogin(entry: JsonObject, rule: string) {
  const auth = textOf(entry.auth);
  if (auth !== undefined) return parseAuth(auth, rule);
  const username = textOf(entry.username);
  return username === undefined ? undefined : { username, password: textOf(entry.password) ?? "" };
}

function parseAuth(auth: string, rule: string) {
  const text = BASE64.test(auth) ? Buffer.from(auth, "base64").toString("utf8") : "";
  const colon = text.indexOf(":");
  if (colon < 0) throw broken(rule, '"auth" is not the base64 of user:password');
  // Docker has written passwords with NUL bytes behind them (docker/cli cli/config/configfile).
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, "") };
}

function headerText(token: string, rule: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw broken(rule, '"registrytoken" holds characters that no token has');
}

function broken(rule: string, reason: string): GranaryError {
  return new GranaryError(
    "config-invalid",
    `The login in ${rule} cannot be used: ${reason}. Log in again, or remove it.`,
  );
}
