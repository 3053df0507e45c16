/**
 * Owns `${ENV_NAME}` in the texts of the file, and that a password is never written there in the open. An unset or empty
 * variable is an error that names the key and the variable, never a value.
 */
import { GranaryError } from "../errors.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** `value` (a parsed document) with every text filled in. Throws `config-invalid`. */
export function fillEnvironment(value: unknown, env: Environment, path: readonly string[] = []): unknown {
  if (typeof value === "string") return fillText(value, env, path);
  if (Array.isArray(value))
    return value.map((item, index) => fillEnvironment(item, env, [...path, String(index)]));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, fillEnvironment(item, env, [...path, key])]),
  );
}

function fillText(text: string, env: Environment, path: readonly string[]): string {
  if (path.at(-1) === "password" && !new RegExp(`^${REFERENCE.source}$`).test(text)) {
    throw invalid(
      path,
      "a password is not written into this file: name an environment variable as $" +
        "{NAME}, or use passwordFile",
    );
  }
  return text.replace(REFERENCE, (_, name: string) => {
    const found = env[name];
    if (found !== undefined && found !== "") return found;
    throw invalid(path, `the environment variable ${name} is ${found === undefined ? "not set" : "empty"}`);
  });
}

function invalid(path: readonly string[], message: string): GranaryError {
  return new GranaryError("config-invalid", `${path.join(".")}: ${message}.`);
}
