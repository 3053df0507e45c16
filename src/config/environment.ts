/**
 * Owns `${ENV_NAME}` in the texts of the configuration file, and the rule that no password is written there in plain text. An unset or empty
 * variable is an error that names the key and the variable, never a value.
 */
import type { Environment } from "../environment.ts";
import { GranaryError, isGranaryError } from "../errors.ts";

const REFERENCE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Keys whose values are secrets. */
const SECRET_KEYS = ["password", "token", "secret", "secretKey"];

/** The variables that were filled in: value -> name. */
export type Filled = Map<string, string>;

/** `value` (a parsed document) with every variable filled in; each is added to `filled`. Throws `config-invalid`. */
export function fillEnvironment(
  value: unknown,
  env: Environment,
  path: readonly string[] = [],
  filled: Filled = new Map(),
): unknown {
  const inside = (item: unknown, key: string) => fillEnvironment(item, env, [...path, key], filled);
  if (typeof value === "string") return fillText(value, env, path, filled);
  if (Array.isArray(value)) return value.map((item, index) => inside(item, String(index)));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inside(item, key)]));
}

/** `error`, with the names of variables in place of their values: what a message quotes may be a secret. */
export function withoutFilled(error: unknown, filled: Filled): unknown {
  if (!isGranaryError(error, "config-invalid")) return error;
  let { message } = error;
  for (const [value, name] of [...filled].sort(([a], [b]) => b.length - a.length)) {
    if (value.length >= SHORTEST) message = message.replaceAll(value, `$\{${name}}`);
  }
  return message === error.message ? error : new GranaryError("config-invalid", message, error.facts);
}

/** Shorter values are not replaced: no secret is that short, and such a text may be part of any word of the message. */
const SHORTEST = 4;

function fillText(text: string, env: Environment, path: readonly string[], filled: Filled): string {
  const key = path.at(-1) ?? "";
  const isSecret = SECRET_KEYS.includes(key) && !new RegExp(`^${REFERENCE.source}$`).test(text);
  if (isSecret || (key === "database" && hasPassword(text))) {
    throw invalid(
      path,
      `a ${isSecret ? key : "password"} is not written into this file: name an environment variable as $` +
        `{NAME}, or use ${key}File`,
    );
  }
  return text.replace(REFERENCE, (_, name: string) => {
    const found = env[name];
    if (found !== undefined && found !== "") {
      filled.set(found, name);
      return found;
    }
    throw invalid(path, `the environment variable ${name} is ${found === undefined ? "not set" : "empty"}`);
  });
}

/** Whether an address has a password in the open, in its login or among its parameters. */
function hasPassword(address: string): boolean {
  return /:\/\/[^@]*:[^@]+@|[?&]password=[^&#]/.test(address.replace(REFERENCE, ""));
}

function invalid(path: readonly string[], message: string): GranaryError {
  return new GranaryError("config-invalid", `${path.join(".")}: ${message}.`);
}
