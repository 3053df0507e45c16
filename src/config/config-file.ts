/**
 * Owns the configuration file: how the whole of it or one section is read, filled in from the environment
 * and checked against the schema. It fills in no defaults; load.ts does.
 */
import type { z } from "zod";
import type { Environment } from "../environment.ts";
import { GranaryError } from "../errors.ts";
import { asObject } from "../oci/json-value.ts";
import { withoutUserInfo } from "../oci/redact.ts";
import { nearNames } from "../routing/near-names.ts";
import { type Filled, fillEnvironment } from "./environment.ts";
import { readText } from "./files.ts";
import { keysAt } from "./keys-of-schema.ts";
import { readYaml } from "./read-yaml.ts";
import { type ConfigFile, fileSchema } from "./schema.ts";

/** The whole file. Each variable that is filled in is added to `filled`. Throws `config-invalid`. */
export async function readConfig(file: string, env: Environment, filled: Filled): Promise<ConfigFile> {
  const text = await readText(file, "--config");
  return checked(file, fillEnvironment(readYaml(text, file), env, [], filled) ?? {});
}

/**
 * The whole file without its secrets and without the files of certificates that it names, for who asks nobody and lets nobody in: variables
 * that hold secrets need not be set. Throws `config-invalid`.
 */
export async function readWithoutSecrets(file: string, env: Environment): Promise<ConfigFile> {
  const document = withoutSecrets(withoutFleet(readYaml(await readText(file, "--config"), file)));
  return checked(file, fillEnvironment(document, env) ?? {});
}

const SECRET_KEYS = ["login", "username", "password", "passwordFile", "credentials", "token", "tokenFile"];
const CERTIFICATE_KEYS = ["caFile", "certFile", "keyFile", "clientCertFile", "clientKeyFile"];

/** The nodes of a fleet know each other and their database by secrets alone. */
function withoutFleet(document: unknown): unknown {
  const { fleet: _, ...rest } = asObject(document) ?? {};
  return asObject(document) === undefined ? document : rest;
}

function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  const object = asObject(value);
  if (object === undefined) return value;
  const kept = Object.entries(object).filter(([key]) => ![...SECRET_KEYS, ...CERTIFICATE_KEYS].includes(key));
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutSecrets(item)]));
}

/** The `storage` of `file`. Nothing else in the file is looked at, so variables that hold secrets need not be set. */
export async function readStorageSection(file: string, env: Environment): Promise<ConfigFile["storage"]> {
  const document = asObject(readYaml(await readText(file, "--config"), file));
  const storage = document?.storage ?? undefined;
  return checked(file, { storage: fillEnvironment(storage, env, ["storage"]) }).storage;
}

/**
 * The listeners of `file` as they are written, or undefined where it has none. Nothing else in the file is looked at, and logins are left
 * out, so variables that hold secrets need not be set.
 */
export async function readListeners(file: string, env: Environment): Promise<ConfigFile["listeners"]> {
  const document = asObject(readYaml(await readText(file, "--config"), file));
  if (document?.listeners === undefined) return undefined;
  const listeners = Array.isArray(document.listeners)
    ? document.listeners.map(withoutLogin)
    : document.listeners;
  return checked(file, { listeners: fillEnvironment(listeners, env, ["listeners"]) }).listeners;
}

function withoutLogin(listener: unknown): unknown {
  const written = asObject(listener);
  if (written === undefined) return listener;
  const { login: _, ...rest } = written;
  return rest;
}

/** `document` as the schema has it. Throws `config-invalid` with one sentence that lists all that is wrong. */
function checked(file: string, document: unknown): ConfigFile {
  const parsed = fileSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(sentenceOf).join("; ");
  throw new GranaryError("config-invalid", `${file}: ${problems}.`);
}

/** "upstreams.docker.io.lanes: expected a number from 1 to 64". */
function sentenceOf(issue: z.core.$ZodIssue): string {
  const at = issue.path.map((key) => withoutUserInfo(String(key)));
  const path = at.join(".") || "the file";
  if (issue.code === "unrecognized_keys") {
    const keys = issue.keys.map((key) => [...at, shownKey(key)].join(".")).join(", ");
    const allowed = keysAt(fileSchema, issue.path);
    const near = issue.keys.flatMap((key) => nearNames(key, allowed)).slice(0, 1);
    const hint = near.map((key) => ` (did you mean ${key}?)`).join("");
    return `${keys}: no such key${hint}; allowed ${issue.path.length === 0 ? "at the top" : `in ${path}`} are ${allowed.join(", ")}`;
  }
  if (issue.code === "invalid_union") {
    const meant = issue.errors.find((issues) => !issues.some(isOtherKind)) ?? [];
    const isWholeValue = meant.every(
      (inner) => inner.path.length === 0 && inner.code !== "unrecognized_keys",
    );
    const saysAll = issue.message !== "Invalid input" && isWholeValue;
    if (meant.length > 0 && !saysAll)
      return meant.map((inner) => sentenceOf({ ...inner, path: [...issue.path, ...inner.path] })).join("; ");
  }
  return `${path}: ${issue.message.replace(/^Invalid input: /, "")}`;
}

/** The value is not of this kind at all: of several kinds, another one was meant. */
function isOtherKind({ code, path }: z.core.$ZodIssue): boolean {
  return path.length === 0 && (code === "invalid_type" || code === "invalid_value");
}

/**
 * A key as it may be shown. Someone who forgets the space of `password: hunter2` makes one key of it, so only the part that looks like a
 * key is shown.
 */
function shownKey(key: string): string {
  const [begun = ""] = /^[\w-]*/.exec(key) ?? [];
  return begun === key ? key : `${begun}…`;
}
