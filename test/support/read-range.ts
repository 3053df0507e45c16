/** Owns the reading of one opened range in tests: all its bytes, or the error that its body ends with. */
import type { ByteRange } from "../../src/bytes/byte-range.ts";
import type { Origin } from "../../src/origin.ts";

export async function readRange(origin: Origin, range: ByteRange): Promise<Buffer> {
  const opened = await origin.open(range, new AbortController().signal);
  const chunks: Uint8Array[] = [];
  for await (const chunk of opened.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
