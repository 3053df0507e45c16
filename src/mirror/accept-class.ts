/**
 * Owns what an Accept list means for a stored manifest: whether the client can take its type, and under which key an
 * answer made for that client alone is kept. Pure.
 */

/** True when `accept` is empty (no header, or nothing legible in it), has a wildcard, or names `mediaType`. */
export function takes(accept: readonly string[], mediaType: string): boolean {
  return (
    accept.length === 0 ||
    accept.some((type) => type === mediaType || type === "*/*" || type === "application/*")
  );
}

/** One key for every order and repetition of the same types. */
export function acceptClassOf(accept: readonly string[]): string {
  return [...new Set(accept)].sort().join(",");
}
