/**
 * Owns the PassThrough: a reader of a blob that is not kept, for when there is no room (F16). It streams from the Origin,
 * goes on after a cut, and verifies what a whole reader gets before its last bytes leave (F18). It writes nothing.
 */
import { createHash, type Hash } from "node:crypto";
import type { ByteRange } from "../bytes/byte-range.ts";
import { GranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import { algorithmOf, type Digest, finishDigest } from "../oci/digest.ts";
import type { OpenedRange, Origin } from "../origin.ts";
import type { BlobReader } from "../source.ts";
import { Patience, type PatiencePolicy } from "./patience.ts";

export type PassThroughAsk = {
  readonly digest: Digest;
  /** Bytes; undefined where nobody states them: the end of the body is the end of the blob, if the digest says so. */
  readonly size: number | undefined;
  readonly origin: Origin;
  /** Without a size its end may be infinite. */
  readonly range: ByteRange;
  /** The reader has the whole blob from 0; `range` is what it still lacks. */
  readonly whole: boolean;
  /** Reads what the whole reader has been given already, so that it can be hashed. */
  readonly seed?: (offset: number, into: Uint8Array) => Promise<number>;
};

const SEED_BYTES = 1024 * 1024;

export class PassThrough implements BlobReader {
  readonly #ask: PassThroughAsk;
  readonly #patience: Patience;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #abort = new AbortController();
  #hash: Hash | undefined;
  #chunks: Uint8Array[] = [];
  #received: number;
  /** Where it ends; infinite until that is known. */
  #end: number;
  #opened: OpenedRange | undefined;
  #body: AsyncIterator<Uint8Array> | undefined;
  /** What ended this reader for good. */
  #failure: unknown;

  constructor(ask: PassThroughAsk, policy: PatiencePolicy, clock: Clock, random: () => number) {
    this.#ask = ask;
    this.#patience = new Patience(policy, ask.range.start > 0 && ask.seed !== undefined);
    this.#clock = clock;
    this.#random = random;
    this.#received = ask.range.start;
    this.#end = ask.range.end;
  }

  async read(into: Uint8Array): Promise<number> {
    const { whole } = this.#ask;
    if (this.#failure !== undefined) throw this.#failure;
    if (whole && this.#hash === undefined) await this.#seedHash();
    // A whole reader's last chunk stays here until everything after it has come and the digest is right.
    while (this.#chunks.length < (whole ? 2 : 1) && this.#received < this.#end) await this.#pull();
    const [chunk] = this.#chunks;
    if (chunk === undefined) return 0;
    const count = Math.min(chunk.length, into.length);
    into.set(chunk.subarray(0, count));
    if (count === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(count);
    return count;
  }

  close(): void {
    this.#abort.abort();
    this.#dropBody();
    this.#chunks = [];
  }

  #dropBody(): void {
    // Nobody waits for the end of a body that was given up, nor for the error that its ending may throw.
    this.#body?.return?.().catch(() => {});
    this.#opened?.dismiss();
    this.#body = undefined;
    this.#opened = undefined;
  }

  async #seedHash(): Promise<void> {
    const { digest, range, seed } = this.#ask;
    const hash = createHash(algorithmOf(digest));
    const buffer = new Uint8Array(Math.min(SEED_BYTES, range.start));
    for (let offset = 0; offset < range.start && seed !== undefined; ) {
      const count = await seed(offset, buffer.subarray(0, Math.min(buffer.length, range.start - offset)));
      hash.update(buffer.subarray(0, count));
      offset += count;
    }
    this.#hash = hash;
    if (this.#received === this.#end) this.#verify();
  }

  /** Gets the next chunk, over as many connections as it takes. */
  async #pull(): Promise<void> {
    if (this.#abort.signal.aborted) throw new GranaryError("closed", "The reader was closed.");
    try {
      this.#body ??= await this.#open();
      const next = await this.#body.next();
      if (next.done === true) this.#ended();
      else this.#take(next.value);
      this.#patience.progressed();
    } catch (error) {
      this.#dropBody();
      if (this.#abort.signal.aborted) throw new GranaryError("closed", "The reader was closed.");
      if (isMismatch(error)) throw this.#fail(error);
      await this.#pauseAfter(error);
    }
  }

  async #open(): Promise<AsyncIterator<Uint8Array>> {
    const { origin, digest, size } = this.#ask;
    const opened = await origin.open({ start: this.#received, end: this.#end }, this.#abort.signal);
    // This time it says how large the blob is.
    if (size === undefined && opened.size !== undefined) this.#end = Math.min(this.#end, opened.size);
    else if (opened.size !== undefined && opened.size !== size) {
      opened.dismiss();
      throw new GranaryError(
        "size-mismatch",
        `${origin.name} says that ${digest} has ${opened.size} bytes, expected ${size}.`,
      );
    }
    this.#opened = opened;
    return skip(opened.body, this.#received - opened.range.start);
  }

  #take(chunk: Uint8Array): void {
    const wanted = chunk.subarray(0, this.#end - this.#received);
    if (wanted.length === 0) return;
    this.#chunks.push(wanted);
    this.#received += wanted.length;
    this.#hash?.update(wanted);
    if (this.#ask.whole && this.#received === this.#end) this.#verify();
  }

  /** The body is over: that is the end of a blob whose size nobody states, and too early for any other. */
  #ended(): void {
    if (this.#end !== Number.POSITIVE_INFINITY) throw this.#short();
    this.#end = this.#received;
    if (this.#ask.whole) this.#verify();
  }

  #verify(): void {
    const { digest, origin } = this.#ask;
    if (this.#hash === undefined) return;
    const found = finishDigest(this.#hash, algorithmOf(digest));
    if (found === digest) return;
    origin.strike();
    const message = `The bytes of ${digest} hash to ${found}.`;
    throw this.#fail(new GranaryError("digest-mismatch", message, { expected: digest, found }));
  }

  /** From here on every read throws: what was held back must not leave at the second try (F18). */
  #fail(error: unknown): unknown {
    this.#failure = error;
    this.#chunks = [];
    return error;
  }

  #short(): GranaryError {
    const { origin } = this.#ask;
    return new GranaryError(
      "upstream-unavailable",
      `${origin.name} ended at byte ${this.#received} of ${this.#end}.`,
    );
  }

  /** Throws `error` where another try makes no sense. */
  #pauseAfter(error: unknown): Promise<void> {
    const origin = this.#ask.origin.name;
    const failed = { error, origin, now: this.#clock.elapsed(), random: this.#random() };
    const judgement = this.#patience.judge(failed);
    if (judgement.next !== "again") throw this.#fail(error);
    return new Promise((resolve) => {
      const timer = this.#clock.after(judgement.afterMs, resolve);
      this.#abort.signal.addEventListener("abort", () => {
        timer.cancel();
        resolve();
      });
    });
  }
}

function isMismatch(error: unknown): boolean {
  return (
    error instanceof GranaryError && (error.code === "digest-mismatch" || error.code === "size-mismatch")
  );
}

/** `body` without its first `count` bytes (a range-blind origin starts at 0). */
async function* skip(body: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count;
  for await (const chunk of body) {
    const rest = chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
    if (rest.length > 0) yield rest;
  }
}
