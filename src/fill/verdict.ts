/**
 * Owns the verdict on a blob of which every byte is here: what it hashes to, and where that is right, that it becomes the store's
 * (F9). What follows for the fill and its readers is the Fill's.
 */
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Content } from "./content.ts";
import type { FillSurroundings } from "./fill-ask.ts";
import type { OpenPartial } from "./open-partial.ts";
import type { Supply } from "./supply.ts";

export type Verdict =
  | { readonly is: "committed" }
  /** Every byte is right, and the store cannot take it. */
  | { readonly is: "uncommitted"; readonly reason: GranaryError }
  | { readonly is: "wrong"; readonly error: GranaryError };

export type VerdictParts = {
  readonly digest: Digest;
  readonly content: Content;
  readonly supply: Supply;
  readonly around: FillSurroundings;
};

/** Readers get the end of a right one at once, before it is committed. Throws `store-damaged` when it cannot be read. */
export async function judge(partial: OpenPartial, parts: VerdictParts): Promise<Verdict> {
  const { digest, content } = parts;
  const found = (await partial.hash()) ?? digest;
  if (found !== digest) return { is: "wrong", error: mismatch(partial, found, parts) };
  content.reveal();
  return await commit(partial, parts);
}

/** F9: adopt, then metadata; the fill leaves the map after that. Readers go on with the adopted partial meanwhile and afterwards. */
async function commit(
  partial: OpenPartial,
  { digest, content, supply, around }: VerdictParts,
): Promise<Verdict> {
  let isAdopted = false;
  try {
    await supply.stop();
    await partial.adopt(around.blobs);
    isAdopted = true;
    await around.record(digest, content.end);
  } catch (error) {
    const facts = { digest, reason: messageOf(error) };
    around.episodes.trouble("commits", facts, "a verified blob could not be committed");
    if (!isAdopted) return { is: "uncommitted", reason: asGranaryError(digest, error) };
  }
  return { is: "committed" };
}

/** F10: after a resume the saved bytes may be wrong; on a fresh fill they are all the origin's. */
function mismatch({ isResumed }: OpenPartial, found: Digest, { digest, supply, around }: VerdictParts) {
  around.log.error({ digest, found, resumed: isResumed }, "digest mismatch");
  if (!isResumed) {
    supply.origin?.strike();
    around.metrics.originStrikes.inc({ upstream: supply.origin?.name.split("/")[0] ?? "none" });
  }
  const message = `The bytes of ${digest} hash to ${found}.`;
  return new GranaryError("digest-mismatch", message, { expected: digest, found });
}

function asGranaryError(digest: Digest, error: unknown): GranaryError {
  if (isGranaryError(error)) return error;
  return new GranaryError("store-damaged", `${digest} could not be committed.`, { cause: error });
}
