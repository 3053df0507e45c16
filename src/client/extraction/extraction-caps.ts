/**
 * Owns the caps on what an image may unpack to: a few kilobytes can hold terabytes of zeros. Bytes are those of the archives
 * and of copies in place of links; entries likewise.
 */
import { formatBytes } from "../../bytes/units.ts";
import { GranaryError } from "../../errors.ts";

export class ExtractionCaps {
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  #bytes = 0;
  #entries = 0;

  constructor(maxBytes: number, maxEntries: number) {
    this.#maxBytes = maxBytes;
    this.#maxEntries = maxEntries;
  }

  get bytes(): number {
    return this.#bytes;
  }
  get entries(): number {
    return this.#entries;
  }

  /** Throws `store-full` above the cap. */
  countBytes(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= this.#maxBytes) return;
    throw tooMuch(
      `more than ${formatBytes(this.#maxBytes)} (${this.#maxBytes} bytes)`,
      "maxBytes (--max-size)",
      this.#maxBytes,
    );
  }

  /** Throws `store-full` above the cap. */
  countEntry(): void {
    if (++this.#entries <= this.#maxEntries) return;
    throw tooMuch(`more than ${this.#maxEntries} entries`, "maxEntries (--max-entries)", this.#maxEntries);
  }
}

function tooMuch(what: string, option: string, expected: number): GranaryError {
  const message = `The image unpacks to ${what}; nothing was kept. Raise ${option} if that is right.`;
  return new GranaryError("store-full", message, { expected });
}
