/**
 * Owns what an Accept list means for a stored manifest: whether the client can take its type, and under which key an
 * answer made for that client alone is kept. Pure.
 */
import { createHash } from "node:crypto";

/** True when `accept` is empty (no header, or nothing legible in it), has a wildcard, or names `mediaType`. */
export function takes(accept: readonly string[], mediaType: string): boolean {
  return (
    accept.length === 0 ||
    accept.some((type) => type === mediaType || type === "*/*" || type === "application/*")
  );
}

const LONGEST = 256;

/** One key for every order and repetition of the same types. */
export function acceptClassOf(accept: readonly string[]): string {
  const types = [...new Set(accept)].sort().join(",");
  // Clients write as much as a header holds: the key must not grow with it.
  return types.length <= LONGEST ? types : `sha256:${createHash("sha256").update(types).digest("hex")}`;
}
