/** Owns how a stored blob is read for another node: exactly its range, as the file has it. The node that reads verifies. */
import type { ByteRange } from "../../bytes/byte-range.ts";
import { GranaryError } from "../../errors.ts";
import type { BlobReader } from "../../source.ts";
import type { StoredBlob } from "../../store/blob-store.ts";

/** A reader of `range`, or of all; it closes `stored`. Throws `range-unsatisfiable`, and closes it then. */
export function storedReader(
  stored: StoredBlob,
  range: ByteRange = { start: 0, end: stored.size },
): BlobReader {
  let { start: at } = range;
  if (range.end > stored.size) {
    void stored.close();
    throw new GranaryError("range-unsatisfiable", `${stored.digest} has ${stored.size} bytes.`, {
      expected: stored.size,
    });
  }
  return {
    read: async (into) => {
      if (at >= range.end) return 0;
      const count = await stored.read(at, into.subarray(0, range.end - at));
      if (count === 0)
        throw new GranaryError("store-damaged", `${stored.digest} is shorter on disk than it was.`);
      at += count;
      return count;
    },
    close: () => void stored.close(),
  };
}
