/**
 * Owns the comparison of all files of blobs with all rows, in the order of their digests and a page at a time: it takes little memory however
 * many there are, and can run while clients are served. It changes nothing. What it tells may have changed by then, so whoever acts on it
 * looks again first.
 */
import type { BlobRecord, Metadata } from "../../metadata/metadata.ts";
import type { Digest } from "../../oci/digest.ts";
import type { BlobStore, ListedBlob } from "../../store/blob-store.ts";

/** At least one of the two is there. */
export type Item = {
  readonly digest: Digest;
  readonly row: BlobRecord | undefined;
  readonly file: ListedBlob | undefined;
};

export type InventoryParts = { readonly metadata: Metadata; readonly blobs: BlobStore };

const ROWS_AT_ONCE = 500;

export type Listening = {
  /** Told the paths of files among the blobs that are no blobs. */
  readonly onStranger: (path: string) => void;
  /** Told when files cannot be listed: their rows are told without them. */
  readonly onFailure: (error: unknown) => void;
};

/** Every blob that has a row or a file, those whose digest comes after `after`. Throws what Metadata throws. */
export async function* inventory(
  { metadata, blobs }: InventoryParts,
  { onStranger, onFailure }: Listening,
  after = "",
): AsyncGenerator<Item> {
  const rows = rowsOf(metadata, after);
  const files = blobs.list(onStranger)[Symbol.asyncIterator]();
  const nextFile = async () => {
    try {
      for (;;) {
        const next = await files.next();
        if (next.done === true) return undefined;
        if (next.value.digest > after) return next.value;
      }
    } catch (error) {
      onFailure(error);
      return undefined;
    }
  };
  try {
    let row = (await rows.next()).value;
    let file = await nextFile();
    while (row !== undefined || file !== undefined) {
      const digest = lowest(row, file);
      const item: Item = {
        digest,
        row: row?.digest === digest ? row : undefined,
        file: file?.digest === digest ? file : undefined,
      };
      yield item;
      if (item.row !== undefined) row = (await rows.next()).value;
      if (item.file !== undefined) file = await nextFile();
    }
  } finally {
    await files.return?.();
  }
}

async function* rowsOf(metadata: Metadata, from: string): AsyncGenerator<BlobRecord, undefined> {
  for (let after = from; ; ) {
    const page = await metadata.blobsAfter(after, ROWS_AT_ONCE);
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < ROWS_AT_ONCE) return undefined;
    after = last.digest;
  }
}

function lowest(row: BlobRecord | undefined, file: ListedBlob | undefined): Digest {
  const first = row === undefined || (file !== undefined && file.digest < row.digest) ? file : row;
  if (first === undefined) throw new Error("There is neither a row nor a file.");
  return first.digest;
}
