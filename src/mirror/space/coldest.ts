/** Owns the order in which things go when room is needed: blobs and partials, least recently used first. It removes nothing. */
import type { Metadata } from "../../metadata/metadata.ts";
import type { Digest } from "../../oci/digest.ts";
import type { SavedPartial } from "../../store/partial.ts";

export type Candidate = {
  readonly digest: Digest;
  /** Bytes that its removal frees. */
  readonly size: number;
  /** Epoch ms. */
  readonly usedAt: number;
} & ({ readonly kind: "blob" } | { readonly kind: "partial"; readonly upstream: string | undefined });

const BATCH = 64;

/** Every blob and every partial that no fill has open, coldest first. Nothing may be removed while it runs. `now` is epoch ms. */
export async function* coldest(
  metadata: Metadata,
  saved: readonly SavedPartial[],
  now: number,
): AsyncGenerator<Candidate> {
  const partials = saved.map((partial) => candidateOf(partial, now)).sort((a, b) => a.usedAt - b.usedAt);
  for await (const blob of coldestBlobs(metadata)) {
    while (partials[0] !== undefined && partials[0].usedAt <= blob.usedAt) {
      yield partials[0];
      partials.shift();
    }
    yield blob;
  }
  yield* partials;
}

async function* coldestBlobs(metadata: Metadata): AsyncGenerator<Candidate> {
  for (let skip = 0; ; skip += BATCH) {
    const batch = await metadata.coldestBlobs(BATCH, skip);
    for (const blob of batch) yield { kind: "blob", ...blob };
    if (batch.length < BATCH) return;
  }
}

/** One that was last written in the future would never go; it goes first, as nothing says how old it is. */
function candidateOf({ digest, upstream, present, changedAt }: SavedPartial, now: number): Candidate {
  return { kind: "partial", digest, upstream, size: present, usedAt: changedAt <= now ? changedAt : 0 };
}
