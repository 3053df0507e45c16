/**
 * Owns the body of an answer with several ranges (RFC 9110, 14.6 and 15.3.7.2): `multipart/byteranges`, one part for each range in the
 * order in which they were asked for, its length known before its first byte. Podman counts the parts: none is left out or joined.
 */
import { randomBytes } from "node:crypto";
import { type ByteRange, lengthOf } from "../../bytes/byte-range.ts";
import { formatContentRange } from "../../bytes/http-range.ts";
import { OCTET_STREAM } from "../../oci/media-types.ts";
import type { BlobReader, ReadableBlob } from "../../source.ts";

type ByteParts = {
  readonly contentType: string;
  /** Bytes of the body, with all that stands between the parts. */
  readonly length: number;
  reader(): BlobReader;
};

/** Ranges with a gap of at most this many bytes are fetched as one: another request would cost more than the bytes of the gap. */
const NEAR_BYTES = 64 * 1024;
/** How many of the next ranges the transfer is told of, so that it can fetch them meanwhile. */
const TOLD_AHEAD = 64;

type PartsAsk = {
  /** Bytes of the blob. */
  readonly size: number;
  readonly ranges: readonly ByteRange[];
  /** True when its bytes may have to be fetched. */
  readonly isCold: boolean;
};

export function byteParts(blob: ReadableBlob, { size, ranges, isCold }: PartsAsk): ByteParts {
  // Random: somebody who knew the boundary could make a blob that contains it, and so end a part early.
  const boundary = randomBytes(16).toString("hex");
  const heads = ranges.map((range, index) => headOf(range, size, boundary, index === 0));
  const end = Buffer.from(`\r\n--${boundary}--\r\n`, "latin1");
  const length = ranges.reduce((sum, range, index) => sum + lengthOf(range) + (heads[index]?.length ?? 0), 0);
  const parts = ranges.map((range, index) => ({ range, head: heads[index] ?? end }));
  return {
    contentType: `multipart/byteranges; boundary=${boundary}`,
    length: length + end.length,
    reader: () => new PartsReader(blob, stretchesOf(parts, isCold ? NEAR_BYTES : 0), end),
  };
}

type Part = { readonly range: ByteRange; readonly head: Buffer };

/** Parts that one reader reads, with the bytes between them. */
type Stretch = { readonly range: ByteRange; readonly parts: readonly Part[] };

function headOf(range: ByteRange, size: number, boundary: string, isFirst: boolean): Buffer {
  const lines = [
    `${isFirst ? "" : "\r\n"}--${boundary}`,
    `Content-Type: ${OCTET_STREAM}`,
    `Content-Range: ${formatContentRange(range, size)}`,
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

function stretchesOf(parts: readonly Part[], near: number): Stretch[] {
  const stretches: { range: ByteRange; parts: Part[] }[] = [];
  for (const part of parts) {
    const last = stretches.at(-1);
    const gap = last === undefined ? -1 : part.range.start - last.range.end;
    if (last === undefined || gap < 0 || gap > near) stretches.push({ range: part.range, parts: [part] });
    else {
      last.range = { start: last.range.start, end: part.range.end };
      last.parts.push(part);
    }
  }
  return stretches;
}

/** Reads the parts one after the other, and keeps no bytes of the blob. */
class PartsReader implements BlobReader {
  readonly #blob: ReadableBlob;
  readonly #stretches: readonly Stretch[];
  readonly #end: Buffer;
  #reader: BlobReader | undefined;
  /** The stretch and the part that are being read, and the offset in the blob. */
  #stretch = 0;
  #part = 0;
  #offset = 0;
  /** The rest of the text that comes before the next bytes of the blob. */
  #text: Buffer;
  #isClosed = false;

  constructor(blob: ReadableBlob, stretches: readonly Stretch[], end: Buffer) {
    this.#blob = blob;
    this.#stretches = stretches;
    this.#end = end;
    this.#text = stretches[0]?.parts[0]?.head ?? end;
    this.#open();
  }

  async read(into: Uint8Array): Promise<number> {
    const part = this.#stretches[this.#stretch]?.parts[this.#part];
    if (part === undefined || this.#reader === undefined) return this.#takeText(into);
    await this.#skipTo(part.range.start, this.#reader, into);
    const text = this.#takeText(into);
    const room = Math.min(into.length - text, part.range.end - this.#offset);
    if (room <= 0) return text;
    const count = await this.#reader.read(into.subarray(text, text + room));
    // The sender notices that the body is shorter than promised, and destroys it (F2).
    if (count === 0) return 0;
    this.#offset += count;
    if (this.#offset === part.range.end) this.#next();
    return text + count;
  }

  close(): void {
    this.#isClosed = true;
    this.#reader?.close();
  }

  #takeText(into: Uint8Array): number {
    const taken = Math.min(this.#text.length, into.length);
    into.set(this.#text.subarray(0, taken));
    this.#text = this.#text.subarray(taken);
    return taken;
  }

  /** Reads the bytes between two parts of a stretch and throws them away. */
  async #skipTo(start: number, reader: BlobReader, into: Uint8Array): Promise<void> {
    while (this.#offset < start) {
      const count = await reader.read(into.subarray(0, Math.min(into.length, start - this.#offset)));
      if (count === 0) throw new Error("a stretch of a blob is shorter than its parts");
      this.#offset += count;
    }
  }

  #next(): void {
    this.#part++;
    if (this.#stretches[this.#stretch]?.parts[this.#part] === undefined) {
      this.#stretch++;
      this.#part = 0;
      this.#open();
    }
    this.#text = this.#stretches[this.#stretch]?.parts[this.#part]?.head ?? this.#end;
  }

  /** Opens the next reader before it closes the last one: a transfer begins to stop when its last reader leaves (F13). */
  #open(): void {
    const previous = this.#reader;
    const next = this.#stretches[this.#stretch];
    if (next === undefined || this.#isClosed) this.#reader = undefined;
    else {
      const told = this.#stretches.slice(this.#stretch + 1, this.#stretch + 1 + TOLD_AHEAD);
      const ahead = told.map(({ range }) => range);
      this.#reader = this.#blob.reader(next.range, ahead);
      this.#offset = next.range.start;
    }
    previous?.close();
  }
}
