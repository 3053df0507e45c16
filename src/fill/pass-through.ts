/**
 * Owns the PassThrough: a reader of a blob that is not kept, for when there is no room (F16). What it gives a reader of the whole is
 * verified before the last bytes leave (F18). It writes nothing, and fetches nothing itself: that is resuming-body.ts's.
 */
import { createHash, type Hash } from "node:crypto";
import type { ByteRange } from "../bytes/byte-range.ts";
import { GranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import { algorithmOf, type Digest, finishDigest } from "../oci/digest.ts";
import type { Origin } from "../origin.ts";
import type { BlobReader } from "../source.ts";
import type { Content, Reading } from "./content.ts";
import type { FillAsk, FillSurroundings } from "./fill-ask.ts";
import type { PatiencePolicy } from "./patience.ts";
import { ResumingBody } from "./resuming-body.ts";

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

/** A reader of what `content` cannot keep, from where `reading` stands: what its reader was given already is read from there to be hashed. */
export function passThrough(
  { start, end, isWhole }: Reading,
  { digest, size, origin, policy }: FillAsk,
  content: Content,
  { clock, random, metrics }: FillSurroundings,
): PassThrough {
  metrics.bypasses.inc();
  const seed = (offset: number, into: Uint8Array) => content.read(offset, into);
  const ask = { digest, size, origin, range: { start, end }, whole: isWhole, seed };
  return new PassThrough(ask, policy, clock, random);
}

const SEED_BYTES = 1024 * 1024;

export class PassThrough implements BlobReader {
  readonly #ask: PassThroughAsk;
  readonly #body: ResumingBody;
  /** Of a whole reader, once it was begun. */
  #hash: Hash | undefined;
  #chunks: Uint8Array[] = [];
  #isEnded = false;
  /** What ended this reader for good. */
  #failure: { readonly error: unknown } | undefined;

  constructor(ask: PassThroughAsk, policy: PatiencePolicy, clock: Clock, random: () => number) {
    this.#ask = ask;
    const { digest, size, origin, range, seed } = ask;
    const hasBegun = range.start > 0 && seed !== undefined;
    this.#body = new ResumingBody({ blob: { digest, size }, origin, range, hasBegun }, policy, clock, random);
  }

  async read(into: Uint8Array): Promise<number> {
    try {
      this.#throwFailure();
      await this.#fetch();
      // Closed meanwhile: that is no end of the blob.
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

  /** Until there is a chunk that may leave: of a whole reader, the last one only when the digest is known to be right. */
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

  /** From here on every read throws: what was held back must not leave at the second try (F18). */
  #fail(error: unknown): unknown {
    this.#failure ??= { error };
    this.#chunks = [];
    return this.#failure.error;
  }
}
