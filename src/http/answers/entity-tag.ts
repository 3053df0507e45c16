/** Owns entity tags: the quoted digest, and how If-None-Match and If-Range compare with it (RFC 9110, 13.1). Pure. */
import type { Digest } from "../../oci/digest.ts";

export function formatEntityTag(digest: Digest): string {
  return `"${digest}"`;
}

/** Weak comparison over a list; `*` matches; a bare digest does as well, because clients send it (docs/protocol.md#conditional-requests). */
export function matchesAny(ifNoneMatch: string | undefined, digest: Digest): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(",").some((entry) => {
    const tag = entry.trim();
    return tag === "*" || tag.replace(/^W\//, "").replace(/^"(.*)"$/, "$1") === digest;
  });
}

/** True when a Range still counts: no If-Range, or the same strong tag. A date never matches, because answers carry none. */
export function allowsRange(ifRange: string | undefined, digest: Digest): boolean {
  return ifRange === undefined || ifRange.trim() === formatEntityTag(digest);
}
