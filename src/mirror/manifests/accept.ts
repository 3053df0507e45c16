/**
 * Owns what a client's Accept list means here: whether it takes a stored manifest's type, under which key an answer that was made for
 * such a list is kept, and when a registry is asked a second time with it. Registries are asked with the union of known types first
 * (docs/protocol.md#manifest-accept); no client makes us ask more than twice.
 */
import { createHash } from "node:crypto";
import { isGranaryError } from "../../errors.ts";
import { isMediaType } from "../../oci/manifest-view.ts";
import { MANIFEST_UNION } from "../../oci/media-types.ts";

/** More types than any client lists; what is beyond them is not sent on. */
const MOST_TYPES = 32;
const WILDCARD = /^(?:\*|[a-z0-9][a-z0-9!#$&^_.+-]{0,126})\/\*$/;
/** Characters of a key. Longer lists are hashed, because clients write as much as a header holds. */
const LONGEST_KEY = 256;

/** True when `accept` is empty (no header, or nothing legible in it), has a wildcard, or names `mediaType`. */
export function takes(accept: readonly string[], mediaType: string): boolean {
  return (
    accept.length === 0 ||
    accept.some((type) => type === mediaType || type === "*/*" || type === "application/*")
  );
}

/** One key for every order and repetition of the same types. */
export function acceptClassOf(accept: readonly string[]): string {
  const types = [...new Set(accept)].sort().join(",");
  if (types.length <= LONGEST_KEY) return types;
  return `sha256:${createHash("sha256").update(types).digest("hex")}`;
}

/** By list: the lists of requests are few, and the same again and again (http/registry/accept-header.ts). */
const beyond = new WeakMap<readonly string[], readonly string[] | "nothing">();

/** The legal types of `accept`, where they go beyond the union; else undefined. */
export function beyondUnion(accept: readonly string[]): readonly string[] | undefined {
  let known = beyond.get(accept);
  if (known === undefined) {
    known = findBeyond(accept) ?? "nothing";
    beyond.set(accept, known);
  }
  return known === "nothing" ? undefined : known;
}

/** The types of `accept` that may be sent on; the union where there are none. */
export function sentTypes(accept: readonly string[]): readonly string[] {
  const legal = legalTypes(accept);
  return legal.length === 0 ? MANIFEST_UNION : legal;
}

function legalTypes(accept: readonly string[]): readonly string[] {
  return accept.filter((type) => isMediaType(type) || WILDCARD.test(type)).slice(0, MOST_TYPES);
}

function findBeyond(accept: readonly string[]): readonly string[] | undefined {
  const legal = legalTypes(accept);
  return legal.some((type) => !MANIFEST_UNION.includes(type)) ? legal : undefined;
}

/** The upstream has nothing of the types that it was asked for: it says so by 404 or by 406. */
export function hasNoSuchType(error: unknown): boolean {
  if (isGranaryError(error, "not-found")) return true;
  return isGranaryError(error, "upstream-refused") && error.facts.upstreamStatus === 406;
}

/**
 * What `ask` gives for the union, and where the upstream has nothing of those types, for the client's own. Throws what the first question
 * threw where neither finds anything.
 */
export async function askBeyond<T>(
  accept: readonly string[],
  ask: (accept: readonly string[]) => Promise<T>,
): Promise<T> {
  try {
    return await ask(MANIFEST_UNION);
  } catch (error) {
    const own = beyondUnion(accept);
    if (own === undefined || !hasNoSuchType(error)) throw error;
    return await ask(own).catch((second: unknown) => {
      throw hasNoSuchType(second) ? error : second;
    });
  }
}
