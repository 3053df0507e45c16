/**
 * Owns the verdict on a blob of which every byte is present: it compares the digest, and gives a right blob to the store (F9). The Fill decides
 * what follows for itself and its readers.
 */
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Content } from "./content.ts";
import type { FillSurroundings } from "./fill-ask.ts";
import type { OpenPartial } from "./open-partial.ts";
import type { Supply } from "./supply.ts";

export type Verdict =
  | { readonly is: "committed" }
  /** Every byte is right, but the store cannot take the blob. */
  | { readonly is: "uncommitted"; readonly reason: GranaryError }
  | { readonly is: "wrong"; readonly error: GranaryError };

export type VerdictParts = {
  readonly digest: Digest;
  readonly content: Content;
  readonly supply: Supply;
  readonly around: FillSurroundings;
};

/** When the digest is right, readers get the last bytes at once, before the commit. Throws `store-damaged` when the file cannot be read. */
export async function judge(partial: OpenPartial, parts: VerdictParts): Promise<Verdict> {
  const { digest, content } = parts;
  const found = (await partial.hash()) ?? digest;
  if (found !== digest) return { is: "wrong", error: mismatch(partial, found, parts) };
  content.reveal();
  return await commit(partial, parts);
}

/** F9: adopts the file, then records it; only after that the fill leaves the map. Readers go on with the adopted file all the time. */
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

/** F10: after a resume the saved bytes may be the wrong ones, so the origin is blamed only when all bytes came from it in this fill. */
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
