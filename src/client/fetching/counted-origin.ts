/**
 * Owns an Origin that counts: how many bytes crossed, and whether a body broke off so that a later one went on where it
 * stopped. It changes nothing of what passes.
 */
import type { ByteRange } from "../../bytes/byte-range.ts";
import type { OpenedRange, Origin, WantedFor } from "../../origin.ts";

export class CountedOrigin implements Origin {
  readonly name: string;
  readonly #origin: Origin;
  /** Body bytes that were received. */
  received = 0;
  /** Bodies that threw before their end. */
  breaks = 0;

  constructor(origin: Origin) {
    this.name = origin.name;
    this.#origin = origin;
  }

  async open(range: ByteRange, signal: AbortSignal, wantedFor?: WantedFor): Promise<OpenedRange> {
    const opened = await this.#origin.open(range, signal, wantedFor);
    return { ...opened, body: this.#count(opened.body), dismiss: () => opened.dismiss() };
  }

  strike(): void {
    this.#origin.strike();
  }

  async *#count(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of body) {
        this.received += chunk.length;
        yield chunk;
      }
    } catch (error) {
      this.breaks += 1;
      throw error;
    }
  }
}
