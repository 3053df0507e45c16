/**
 * Owns the check of a blob whose content is a generated pattern: each byte is compared where it arrives, and nothing
 * is stored, so that many clients can pull gigabytes at once. It must be as hard to please as a digest.
 */
import { RangeSet } from "../../../src/bytes/range-set.ts";
import { fill, firstDifference } from "../pattern.ts";
import type { BlobPart } from "./blob-part.ts";
import type { BlobPlace } from "./blob-place.ts";

export class PatternPlace implements BlobPlace {
  readonly #pattern: { readonly seed: number; readonly size: number };
  readonly #present = RangeSet.of([]);
  #size = 0;
  #wrongAt: number | undefined;

  constructor(pattern: { readonly seed: number; readonly size: number }) {
    this.#pattern = pattern;
  }

  async isComplete(): Promise<boolean> {
    return false;
  }

  async loadParts(): Promise<BlobPart[]> {
    return [];
  }

  async savePart(): Promise<void> {}

  async prepare(size: number): Promise<void> {
    this.#size = size;
  }

  async write(offset: number, bytes: Buffer): Promise<void> {
    const { seed } = this.#pattern;
    const wanted = room(bytes.length);
    fill(seed, offset, wanted);
    if (!wanted.equals(bytes)) this.#wrongAt ??= firstDifference(seed, offset, bytes);
    this.#present.add({ start: offset, end: offset + bytes.length });
  }

  async complete(): Promise<void> {}

  async verify(): Promise<void> {
    const { size } = this.#pattern;
    const whole = this.#size === size && this.#present.covers({ start: 0, end: size });
    if (this.#wrongAt === undefined && whole) return;
    const fault =
      this.#wrongAt === undefined ? `${this.#present.total} of ${size} bytes` : `at ${this.#wrongAt}`;
    throw new Error(`digest mismatch, file must be downloaded again: ${fault}`);
  }

  async close(): Promise<void> {}
}

let scratch = Buffer.allocUnsafe(2 ** 16);

/** One buffer for all checks, which are synchronous: gigabytes go through here. */
function room(length: number): Buffer {
  if (scratch.length < length) scratch = Buffer.allocUnsafe(length);
  return scratch.subarray(0, length);
}
