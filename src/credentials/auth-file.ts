/**
 * Owns the login files: where they lie, and what one of them holds. They are read, never written, and their content enters no
 * message.
 */
import { readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../environment.ts";
import { GranaryError } from "../errors.ts";
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
