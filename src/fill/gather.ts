/**
 * Owns the way of bytes from one lane into the Partial: chunks are gathered while a write is in flight and written with
 * one call, then marked present. It never reorders and never marks before the write returned (F3). Writing each network
 * chunk alone halves the fill's speed, and waking readers per packet is a trickle (F14).
 */
import type { ByteRange } from "../bytes/byte-range.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import type { Partial } from "../store/partial.ts";

/** F14: bytes that are worth waking a reader for. */
const WAKE_BYTES = 256 * 1024;
/** F14: and how long fewer may be kept back. */
const WAKE_MS = 20;
/** Received but unwritten bytes of one lane; past it the lane waits for the disk. */
const MOST_PENDING = 2 * 1024 * 1024;

export class Gather {
  readonly #partial: Pick<Partial, "write">;
  readonly #clock: Clock;
  readonly #arrived: (range: ByteRange) => void;
  #offset: number;
  #chunks: Uint8Array[] = [];
  #pending = 0;
  #writing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #timer: Timer | undefined;
  #ending = false;

  constructor(
    partial: Pick<Partial, "write">,
    offset: number,
    clock: Clock,
    /** Called after each write returned, with what can be read back now. */
    arrived: (range: ByteRange) => void,
  ) {
    this.#partial = partial;
    this.#offset = offset;
    this.#clock = clock;
    this.#arrived = arrived;
  }

  /** Takes the next chunk; returns a promise only when the lane must wait for the disk. Throws what a write threw. */
  push(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#chunks.push(chunk);
    this.#pending += chunk.length;
    if (this.#pending >= WAKE_BYTES) this.#write();
    else this.#writeSoon();
    return this.#pending >= MOST_PENDING ? this.#writing : undefined;
  }

  /** Writes what is left; resolves when all of it is present. Throws what a write threw. */
  async flush(): Promise<void> {
    this.#ending = true;
    this.#write();
    while (this.#writing !== undefined) await this.#writing;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #writeSoon(): void {
    this.#timer ??= this.#clock.after(WAKE_MS, () => this.#write());
  }

  #write(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#writing !== undefined || this.#pending === 0 || this.#failure !== undefined) return;
    this.#writing = this.#writeAll();
  }

  /** Runs until nothing that is worth a write is pending. A failure is kept for the lane, which is the one to act on it. */
  async #writeAll(): Promise<void> {
    try {
      do {
        const chunks = this.#chunks;
        const range = { start: this.#offset, end: this.#offset + this.#pending };
        this.#chunks = [];
        this.#pending = 0;
        await this.#partial.write(range.start, chunks);
        for (const chunk of chunks) free(chunk);
        this.#offset = range.end;
        this.#arrived(range);
      } while (this.#pending >= WAKE_BYTES || (this.#ending && this.#pending > 0));
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#writing = undefined;
    }
    if (this.#pending > 0 && this.#failure === undefined) this.#writeSoon();
  }
}

/**
 * Gives a written chunk's memory back at once. Network buffers are 64 KiB each and die young, but outside of V8's heap: left
 * to the garbage collector they cost a full collection every 20 MiB, a third of a fill's processor time. A chunk that is
 * only a part of its buffer is left alone.
 */
function free(chunk: Uint8Array): void {
  const { buffer } = chunk;
  if (buffer instanceof ArrayBuffer && chunk.byteLength === buffer.byteLength) buffer.transfer(0);
}
