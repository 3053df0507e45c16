/**
 * Owns the second question about a manifest: upstreams are asked with the union of known types, and where one has nothing for that, with what
 * the client takes besides, as it would hear directly. No client makes more than one second question of one of its own.
 */
import { isGranaryError } from "../../errors.ts";
import { isMediaType } from "../../oci/manifest-view.ts";
import { MANIFEST_UNION } from "../../oci/media-types.ts";

/** More types than any client lists; what is beyond them is not sent on. */
const MOST = 32;
const WILDCARD = /^(?:\*|[a-z0-9][a-z0-9!#$&^_.+-]{0,126})\/\*$/;

/** What `accept` takes, where that is more than the union; else undefined. */
export function beyondUnion(accept: readonly string[]): readonly string[] | undefined {
  const legal = accept.filter((type) => isMediaType(type) || WILDCARD.test(type)).slice(0, MOST);
  return legal.some((type) => !MANIFEST_UNION.includes(type)) ? legal : undefined;
}

/** The upstream has nothing for the types that it was asked with: it says so by 404 or by 406. */
export function isUntaken(error: unknown): boolean {
  if (isGranaryError(error, "not-found")) return true;
  return isGranaryError(error, "upstream-refused") && error.facts.upstreamStatus === 406;
}

/** `ask` with the union, and where that finds nothing, with what the client takes besides. Throws what the first threw where both find nothing. */
export async function askBeyond<T>(
  accept: readonly string[],
  ask: (accept: readonly string[]) => Promise<T>,
): Promise<T> {
  try {
    return await ask(MANIFEST_UNION);
  } catch (error) {
    const own = beyondUnion(accept);
    if (own === undefined || !isUntaken(error)) throw error;
    return await ask(own).catch((second: unknown) => {
      throw isUntaken(second) ? error : second;
    });
  }
}
