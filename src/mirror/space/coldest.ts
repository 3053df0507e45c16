/** Owns the order in which blobs and partials are evicted: least recently used first. It removes nothing. */
import type { BlobRecord, Metadata } from "../../metadata/metadata.ts";
import type { IdlePartial } from "./ledger.ts";

export type Candidate = {
  /** Bytes that its removal frees. */
  readonly size: number;
  /** Epoch ms. */
  readonly usedAt: number;
} & (
  | ({ readonly kind: "blob" } & BlobRecord)
  | ({ readonly kind: "partial" } & Pick<IdlePartial, "digest" | "upstream">)
);

const BATCH = 256;

/** Every blob and every partial that nobody has open, coldest first. `now` is epoch ms. */
export async function* coldest(
  metadata: Metadata,
  idle: readonly IdlePartial[],
  now: number,
): AsyncGenerator<Candidate> {
  const partials = idle.map((partial) => candidateOf(partial, now)).sort((a, b) => a.usedAt - b.usedAt);
  let next = 0;
  for await (const blob of coldestBlobs(metadata)) {
    for (let partial = partials[next]; partial && partial.usedAt <= blob.usedAt; partial = partials[++next])
      yield partial;
    yield blob;
  }
  yield* partials.slice(next);
}

async function* coldestBlobs(metadata: Metadata): AsyncGenerator<Candidate> {
  let last: BlobRecord | undefined;
  for (;;) {
    const batch = await metadata.coldestBlobs(BATCH, last);
    for (const blob of batch) yield { kind: "blob", ...blob };
    if (batch.length < BATCH) return;
    last = batch.at(-1);
  }
}

/** A partial with a date in the future would never be evicted. It goes first, because nobody knows how old it is. */
function candidateOf({ digest, upstream, occupied, changedAt }: IdlePartial, now: number): Candidate {
  return { kind: "partial", digest, upstream, size: occupied, usedAt: changedAt <= now ? changedAt : 0 };
}
