/**
 * Owns the reading of what a token opens: the `access` claim of the distribution token specification ("Token Authentication
 * Implementation"). The signature is the registry's to check; the token came from the server that we asked. Pure.
 */
import { asObject, JSON_BOUNDS, type JsonObject, parseJsonObject } from "../../oci/json-value.ts";

/** Whether `token` opens `repository` for pulls; undefined when it does not tell (no JWT, or one without that claim). */
export function opensPull(token: string, repository: string): boolean | undefined {
  const access = claimsOf(token)?.access;
  if (!Array.isArray(access)) return undefined;
  return access.map(asObject).some((entry) => entry !== undefined && isPullOf(entry, repository));
}

function claimsOf(token: string): JsonObject | undefined {
  const [, payload, signature] = token.split(".");
  if (payload === undefined || signature === undefined) return undefined;
  return parseJsonObject(Buffer.from(payload, "base64url"), JSON_BOUNDS.token);
}

function isPullOf({ type, name, actions }: JsonObject, repository: string): boolean {
  if (type !== "repository" || name !== repository || !Array.isArray(actions)) return false;
  return actions.includes("pull") || actions.includes("*");
}
