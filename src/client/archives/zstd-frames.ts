/**
 * Owns the borders of zstd frames (RFC 8878, 3.1). Node's decoder stops at the first one that lies inside a chunk and silently drops
 * what follows (nodejs/node#64741); images in the chunked format of containers/storage have a frame for each file. It decodes nothing.
 * Remove this file when that is mended.
 */
import { GranaryError } from "../../errors.ts";

const FRAME = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const RLE = 1;
const NOTHING = new Uint8Array(0);

/** A frame's header, a block with its header, or a whole skippable frame. */
type Part = {
  readonly length: number;
  readonly isKept: boolean;
  readonly hasChecksum: boolean;
  readonly endsFrame: boolean;
};

/** The same bytes without skippable frames, in chunks that never reach over the end of a frame. Throws `manifest-invalid`. */
export async function* splitZstdFrames(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let rest: Uint8Array = NOTHING; // the beginning of a part whose length is not yet known
  let part: Part | undefined;
  let left = 0;
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    rest = NOTHING;
    let begin = 0;
    for (let at = 0; at < bytes.length; ) {
      if (left === 0) {
        const next: Part | undefined = partAt(bytes, at, part);
        if (next === undefined || part === undefined || part.endsFrame) {
          if (part?.isKept === true && at > begin) yield bytes.subarray(begin, at);
          begin = at;
        }
        if (next === undefined) {
          rest = bytes.slice(at); // A chunk is good only until the next is asked for.
          break;
        }
        part = next;
        left = part.length;
      }
      const count = Math.min(left, bytes.length - at);
      at += count;
      left -= count;
    }
    if (rest.length === 0 && part?.isKept === true) yield bytes.subarray(begin);
  }
  if (rest.length > 0 || left > 0 || part?.endsFrame === false) throw damaged("it is cut off");
}

/** The part that begins at `at`; undefined when more bytes must be seen first. */
function partAt(bytes: Uint8Array, at: number, before: Part | undefined): Part | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.length - at);
  if (before === undefined || before.endsFrame) return headerAt(view);
  if (view.byteLength < 3) return undefined;
  const header = view.getUint16(0, true) | (view.getUint8(2) << 16);
  const isLast = (header & 1) === 1;
  const size = ((header >> 1) & 3) === RLE ? 1 : header >> 3;
  const checksum = isLast && before.hasChecksum ? 4 : 0;
  return { ...before, length: 3 + size + checksum, endsFrame: isLast };
}

function headerAt(view: DataView): Part | undefined {
  if (view.byteLength < 8) return undefined; // no frame is shorter
  const magic = view.getUint32(0, true);
  if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) {
    return { length: 8 + view.getUint32(4, true), isKept: false, hasChecksum: false, endsFrame: true };
  }
  if (magic !== FRAME) throw damaged("something else follows a frame");
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const contentSize = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  const length = 5 + (isSingleSegment ? 0 : 1) + dictionary + contentSize;
  return { length, isKept: true, hasChecksum: (descriptor & 4) !== 0, endsFrame: false };
}

function damaged(reason: string): GranaryError {
  return new GranaryError("manifest-invalid", `The zstd data is damaged: ${reason}.`);
}
