/** Owns the items of a list that is in memory. It is read in pieces, so that others are served while a list of a million is read. */
import { type Digest, isDigest } from "../../oci/digest.ts";
import { JsonListReader } from "../../oci/json-list.ts";
import { parseJsonObject, textOf } from "../../oci/json-value.ts";
import { MOST_LIST_ITEMS } from "../../upstream/registry/read-list.ts";

const PIECE = 256 * 1024;

/** Calls `onItem` with the bytes of each item of `list` in `body`, in order, as they were written. Stops where `body` is no such list. */
export async function eachItem(
  body: Uint8Array,
  list: string,
  onItem: (item: Uint8Array) => void,
): Promise<void> {
  const reader = new JsonListReader({
    list,
    bounds: { depth: 64, items: MOST_LIST_ITEMS },
    onItem: (start, end) => onItem(body.subarray(start, end)),
  });
  for (let at = 0; at < body.length; at += PIECE) {
    if (at > 0) await new Promise(setImmediate);
    if (!reader.push(body.subarray(at, at + PIECE))) return;
  }
}

/** The digests of what the list of referrers in `body` lists, in its order. */
export async function digestsIn(body: Uint8Array): Promise<Digest[]> {
  const found: Digest[] = [];
  await eachItem(body, "manifests", (item) => {
    const digest = textOf(parseJsonObject(item)?.digest);
    if (digest !== undefined && isDigest(digest)) found.push(digest);
  });
  return found;
}
