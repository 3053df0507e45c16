/**
 * Owns how the bytes of one lane are written: chunks that arrive during a write are collected, written with one call, and then marked
 * present. It never reorders them, and never marks bytes before their write has returned (F3). Writing each network chunk by itself would
 * halve the speed of a fill, and readers would be woken for every packet (F14).
 */
import type { ByteRange } from "../bytes/byte-range.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import type { Partial } from "../store/partial.ts";

/** F14: so many bytes are written, and their readers woken, at once. */
const WAKE_BYTES = 256 * 1024;
/** F14: how long fewer bytes may wait for more. */
const WAKE_MS = 20;
/** The most bytes of one lane that are received and not written; at this many the lane waits for the disk. */
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
    /** Called when a write has returned, with the range that can be read back from now on. */
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

  /** Writes until too little is pending for another write. A failure is kept, and thrown at the lane's next call. */
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
 * Frees the memory of a written chunk at once. Network buffers are 64 KiB each, live for a short time, and lie outside of V8's heap. Left
 * to the garbage collector they cause a full collection every 20 MiB, which takes a third of a fill's processor time. A chunk that is only a
 * part of its buffer is left alone, since the rest may be in use.
 */
function free(chunk: Uint8Array): void {
  const { buffer } = chunk;
  if (buffer instanceof ArrayBuffer && chunk.byteLength === buffer.byteLength) buffer.transfer(0);
}
