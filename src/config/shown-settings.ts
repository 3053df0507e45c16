/**
 * Owns the settings as they may be shown to whoever may read the admin face: without secrets, with patterns as people write them. A new key
 * that holds a secret must be named here.
 */
import type { Settings } from "./settings.ts";

type Shown = string | number | boolean | null | readonly Shown[] | { readonly [key: string]: Shown };

/**
 * Passwords, tokens, the address of a fleet's database, its secret and the keys of its bucket, and the texts of certificates and keys. The user name of our login at a registry can be a token too, which the file takes
 * from a variable; that of a listener is what clients type.
 */
const SECRETS = new Set(["password", "token", "tls", "credentials", "database", "secret", "keys"]);

/** As JSON; patterns are their texts, durations end in `Ms`. */
export function shownSettings(settings: Settings): { readonly [key: string]: Shown } {
  return shownObject(settings);
}

function shownObject(value: object): { readonly [key: string]: Shown } {
  const entries = Object.entries(value).filter(([key, item]) => !SECRETS.has(key) && item !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [key, shown(item)]));
}

function shown(value: unknown): Shown {
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value === "object" && value !== null) return textOfPattern(value) ?? shownObject(value);
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  return null;
}

function textOfPattern(value: object): string | undefined {
  return "text" in value && "repository" in value && typeof value.text === "string" ? value.text : undefined;
}
