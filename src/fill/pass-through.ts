/**
 * Owns the PassThrough: a reader of a blob that is not kept, for when the disk has no room (F16). For a reader of the whole blob, the digest
 * is checked before the last bytes are given out (F18). It writes nothing; resuming-body.ts fetches.
 */
import { createHash, type Hash } from "node:crypto";
import type { ByteRange } from "../bytes/byte-range.ts";
import { GranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import { algorithmOf, type Digest, finishDigest } from "../oci/digest.ts";
import type { Origin } from "../origin.ts";
import type { Purpose } from "../purpose.ts";
import type { BlobReader } from "../source.ts";
import type { Content, Reading } from "./content.ts";
import type { FillAsk, FillSurroundings } from "./fill-ask.ts";
import type { PatiencePolicy } from "./patience.ts";
import { ResumingBody } from "./resuming-body.ts";

export type PassThroughAsk = {
  readonly digest: Digest;
  /** Bytes; undefined when nobody states the size: the blob then ends where the body ends, if the digest is right. */
  readonly size: number | undefined;
  readonly origin: Origin;
  /** Without a size its end may be infinite. */
  readonly range: ByteRange;
  /** The reader asked for the whole blob; `range` is what it still lacks. */
  readonly whole: boolean;
  /** What it is wanted for; a client waits for it, by default. */
  readonly purpose?: Purpose;
  /** Reads the bytes that the reader has been given already, so that they can be hashed. */
  readonly seed?: (offset: number, into: Uint8Array) => Promise<number>;
};

/** A reader that goes on where `reading` is, of bytes that `content` cannot keep. What was given out already is read from `content` to be hashed. */
export function passThrough(
  { start, end, isWhole, purpose }: Reading,
  { digest, size, origin, policy }: FillAsk,
  content: Content,
  { clock, random, metrics }: FillSurroundings,
): PassThrough {
  metrics.bypasses.inc();
  const seed = (offset: number, into: Uint8Array) => content.read(offset, into);
  const ask = { digest, size, origin, range: { start, end }, whole: isWhole, purpose, seed };
  return new PassThrough(ask, policy, clock, random);
}

const SEED_BYTES = 1024 * 1024;

export class PassThrough implements BlobReader {
  readonly #ask: PassThroughAsk;
  readonly #body: ResumingBody;
  /** For a reader of the whole blob, from its first read on. */
  #hash: Hash | undefined;
  #chunks: Uint8Array[] = [];
  #isEnded = false;
  /** Every read throws it from now on. */
  #failure: { readonly error: unknown } | undefined;

  constructor(ask: PassThroughAsk, policy: PatiencePolicy, clock: Clock, random: () => number) {
    this.#ask = ask;
    const { digest, size, origin, range, purpose = "waited", seed } = ask;
    const hasBegun = range.start > 0 && seed !== undefined;
    this.#body = new ResumingBody(
      { blob: { digest, size }, origin, range, purpose, hasBegun },
      policy,
      clock,
      random,
    );
  }

  async read(into: Uint8Array): Promise<number> {
    try {
      this.#throwFailure();
      await this.#fetch();
      // If it was closed meanwhile, no chunk means that, not the end of the blob.
      this.#throwFailure();
    } catch (error) {
      throw this.#fail(error);
    }
    const [chunk] = this.#chunks;
    if (chunk === undefined) return 0;
    const count = Math.min(chunk.length, into.length);
    into.set(chunk.subarray(0, count));
    if (count === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(count);
    return count;
  }

  close(): void {
    this.#body.close();
    this.#fail(new GranaryError("closed", "The reader was closed."));
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Fetches until a chunk can be given out. A reader of the whole blob gets the last one only when the digest is right. */
  async #fetch(): Promise<void> {
    const { whole } = this.#ask;
    if (whole) this.#hash ??= await this.#seeded();
    while (!this.#isEnded && this.#chunks.length < (whole ? 2 : 1)) {
      const chunk = await this.#body.next();
      if (chunk === undefined) this.#ended();
      else this.#take(chunk);
    }
  }

  async #seeded(): Promise<Hash> {
    const { digest, range, seed } = this.#ask;
    const hash = createHash(algorithmOf(digest));
    const buffer = new Uint8Array(Math.min(SEED_BYTES, range.start));
    for (let offset = 0; offset < range.start && seed !== undefined; ) {
      const count = await seed(offset, buffer.subarray(0, Math.min(buffer.length, range.start - offset)));
      hash.update(buffer.subarray(0, count));
      offset += count;
    }
    return hash;
  }

  #take(chunk: Uint8Array): void {
    this.#hash?.update(chunk);
    this.#chunks.push(chunk);
  }

  #ended(): void {
    this.#isEnded = true;
    if (this.#hash === undefined) return;
    const { digest, origin } = this.#ask;
    const found = finishDigest(this.#hash, algorithmOf(digest));
    if (found === digest) return;
    origin.strike();
    const message = `The bytes of ${digest} hash to ${found}.`;
    throw new GranaryError("digest-mismatch", message, { expected: digest, found });
  }

  /** From now on every read throws: the bytes that were held back must not be given out at a second try (F18). */
  #fail(error: unknown): unknown {
    this.#failure ??= { error };
    this.#chunks = [];
    return this.#failure.error;
  }
}
