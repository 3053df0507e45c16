/**
 * Owns one reader of the simulation: it reads to its end or until it leaves, checks every byte, and notes how long it
 * ever waited. A whole reader that ends with a wrong byte is the breach of F18.
 */
import type { ByteRange } from "../../src/bytes/byte-range.ts";
import { isGranaryError } from "../../src/errors.ts";
import type { Clock } from "../../src/observe/clock.ts";
import type { Purpose, Wanting } from "../../src/purpose.ts";
import type { BlobReader } from "../../src/source.ts";
import { firstDifference } from "../support/pattern.ts";
import type { SimulatedBlob } from "./world.ts";

/** What a whole reader gets only with the verdict on the digest. */
export const HELD_BACK = 64 * 1024;

export type ReaderOptions = {
  /** Pause between two reads. */
  readonly pauseMs?: number;
  readonly bytesPerRead?: number;
  /** By default it is a client that waits. */
  readonly wanting?: Wanting;
};

export class SimulatedReader {
  readonly blob: SimulatedBlob;
  readonly start: number;
  readonly end: number;
  readonly whole: boolean;
  readonly purpose: Purpose;
  at: number;
  /** Epoch ms since when it waits for its next bytes; undefined while it does not. */
  waitingSince: number | undefined;
  longestWaitMs = 0;
  /** Reads that returned bytes: wake-ups, and reads that found bytes at once. */
  reads = 0;
  outcome: "reading" | "done" | "left" | "failed" = "reading";
  error: unknown;
  /** Offset of the first byte that was not right. */
  wrongAt: number | undefined;
  readonly over: Promise<void>;
  readonly #clock: Clock;
  readonly #reader: BlobReader;

  constructor(
    clock: Clock,
    reader: BlobReader,
    blob: SimulatedBlob,
    range: ByteRange | undefined,
    options: ReaderOptions = {},
  ) {
    this.#clock = clock;
    this.#reader = reader;
    this.blob = blob;
    this.start = range?.start ?? 0;
    this.end = range?.end ?? blob.size;
    this.whole = range === undefined;
    this.purpose = options.wanting?.purpose ?? "waited";
    this.at = this.start;
    this.over = this.#run(options);
  }

  leave(): void {
    if (this.outcome === "reading") this.outcome = "left";
    this.#reader.close();
  }

  async #run({ pauseMs = 0, bytesPerRead = 64 * 1024 }: ReaderOptions): Promise<void> {
    const buffer = new Uint8Array(bytesPerRead);
    try {
      while (await this.#next(buffer)) {
        if (pauseMs > 0) await new Promise<void>((resolve) => this.#clock.after(pauseMs, resolve));
      }
      if (this.outcome === "reading") this.outcome = "done";
    } catch (error) {
      if (this.outcome === "left" && isGranaryError(error, "closed")) return;
      this.outcome = "failed";
      this.error = error;
    } finally {
      this.#reader.close();
    }
  }

  async #next(buffer: Uint8Array): Promise<boolean> {
    this.waitingSince = this.#clock.now();
    const count = await this.#reader.read(buffer);
    // What F18 holds back is not what F17 speaks of: it waits for the blob's last byte.
    const isHeld = this.whole && this.at >= this.blob.size - HELD_BACK;
    if (!isHeld) this.longestWaitMs = Math.max(this.longestWaitMs, this.#clock.now() - this.waitingSince);
    this.waitingSince = undefined;
    if (this.outcome !== "reading" || count === 0) return false;
    this.reads += 1;
    this.wrongAt ??= firstDifference(this.blob.seed, this.at, buffer.subarray(0, count));
    this.at += count;
    return true;
  }
}
