/**
 * Owns the look for a blob that is there already when a Fill begins: it is believed only when its bytes are right (F18), and what is
 * wrong goes out of the way of what replaces it.
 */
import { GranaryError } from "../errors.ts";
import type { Log } from "../observe/log.ts";
import type { Digest } from "../oci/digest.ts";
import type { BlobStore, StoredBlob } from "../store/blob-store.ts";

/** Without a size any right one will do. */
export type Wanted = { readonly digest: Digest; readonly size: number | undefined };

/**
 * undefined when there is none, or a damaged one, which has been set aside. Throws `store-damaged`, and `size-mismatch` for a right one of
 * another size than the wanted one; the caller closes.
 */
export async function openSound(
  blobs: BlobStore,
  { digest, size }: Wanted,
  log: Log,
): Promise<StoredBlob | undefined> {
  const stored = await blobs.open(digest);
  if (stored === undefined) return undefined;
  let isKept = false;
  try {
    if (stored.wasVerified || (await isRight(stored))) {
      checkSize(stored, size);
      isKept = true;
      return stored;
    }
  } finally {
    if (!isKept) await stored.close();
  }
  log.error({ digest }, "a stored blob is damaged: set aside, it is fetched again");
  await blobs.setAside(digest);
  return undefined;
}

async function isRight(stored: StoredBlob): Promise<boolean> {
  const verification = await stored.verify();
  verification.hurry();
  return await verification.verdict;
}

function checkSize({ digest, size }: StoredBlob, expected: number | undefined): void {
  if (expected === undefined || size === expected) return;
  const message = `${digest} has ${size} bytes, its descriptor says ${expected}.`;
  throw new GranaryError("size-mismatch", message, { expected, found: size, target: digest });
}
