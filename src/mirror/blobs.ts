/**
 * Owns blobs: a pinned, readable blob from disk, from the running Fill, or passed through when there is no room. Who may
 * have it is access.ts's, how it is fetched the Fill's.
 */
import type { ByteRange } from "../bytes/byte-range.ts";
import { isGranaryError } from "../errors.ts";
import type { FillAsk } from "../fill/fill.ts";
import type { Fills } from "../fill/fills.ts";
import { PassThrough } from "../fill/pass-through.ts";
import type { Clock } from "../observe/clock.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Digest } from "../oci/digest.ts";
import type { BlobReader, ReadableBlob } from "../source.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";
import type { Access } from "./access.ts";
import type { Janitor } from "./janitor.ts";
import type { BlobAnswer, Outcome } from "./mirror.ts";
import { notFound } from "./not-found.ts";
import type { Pins } from "./pins.ts";
import { SingleFlight } from "./single-flight.ts";
import { openStoredBlob } from "./stored-blob.ts";
import type { BlobTarget } from "./target.ts";
import type { Uses } from "./uses.ts";

export type BlobParts = {
  readonly store: BlobStore;
  readonly fills: Fills;
  readonly janitor: Janitor;
  readonly access: Access;
  readonly pins: Pins;
  readonly uses: Uses;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly random: () => number;
};

type Sized = { readonly digest: Digest; readonly size: number; readonly outcome: Outcome };

export class Blobs {
  readonly #parts: BlobParts;
  readonly #heads: SingleFlight<number>;

  constructor(parts: BlobParts) {
    this.#parts = parts;
    this.#heads = new SingleFlight(parts.clock);
  }

  /** A readable blob; the caller releases it. F12: the pin is taken before the first look-up. */
  async open(client: UpstreamClient, target: BlobTarget): Promise<BlobAnswer> {
    const release = this.#parts.pins.pin(target.digest);
    try {
      const size = await this.#linkedSize(client, target);
      this.#parts.uses.touch(target.digest);
      const stored = await this.#stored(target, release);
      if (stored !== undefined) return { blob: stored, outcome: "hit" };
      return await this.#cold(client, target, size ?? (await this.#sizeUpstream(client, target)), release);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Size without a body: from disk, from the running fill, from the manifest that listed it, else by one upstream HEAD. */
  async stat(client: UpstreamClient, target: BlobTarget): Promise<Sized> {
    const { digest } = target;
    const linked = await this.#linkedSize(client, target);
    const stored = await this.#parts.store.stat(digest);
    if (stored !== undefined) return { digest, size: stored.size, outcome: "hit" };
    const filling = this.#parts.fills.find(digest)?.size;
    return { digest, size: filling ?? linked ?? (await this.#sizeUpstream(client, target)), outcome: "miss" };
  }

  /** The repository's own word that it has the blob: from a manifest seen, else from the upstream now (H54). */
  async #linkedSize(client: UpstreamClient, target: BlobTarget): Promise<number | undefined> {
    const link = await this.#parts.access.link(target, target.digest);
    return link === undefined ? await this.#sizeUpstream(client, target) : link.size;
  }

  #sizeUpstream(client: UpstreamClient, target: BlobTarget): Promise<number> {
    const { upstream, repository, digest } = target;
    return this.#heads.run(`${upstream}\n${repository}\n${digest}`, async () => {
      const head = await client.headBlob(repository, digest);
      if (head === undefined) throw notFound(target, digest);
      await this.#parts.access.recordLink(target, { digest, size: head.size });
      return head.size;
    });
  }

  async #stored({ digest }: BlobTarget, release: () => void): Promise<ReadableBlob | undefined> {
    // A fill that is running is asked first: its readers get what is there without a look at the disk (F9).
    if (this.#parts.fills.find(digest) !== undefined) return undefined;
    const stored = await this.#parts.store.open(digest).catch(async (error: unknown) => {
      if (!isGranaryError(error, "store-damaged")) throw error;
      await this.#parts.janitor.dropDamaged(digest, error.message);
      return undefined;
    });
    if (stored === undefined) return undefined;
    return openStoredBlob(stored, release, (reason) => this.#parts.janitor.dropDamaged(digest, reason));
  }

  async #cold(
    client: UpstreamClient,
    target: BlobTarget,
    linkedSize: number,
    release: () => void,
  ): Promise<BlobAnswer> {
    const { fills, janitor } = this.#parts;
    const { digest } = target;
    const running = fills.find(digest);
    const size = running?.size ?? linkedSize;
    const ask = {
      digest,
      size,
      origin: client.blobOrigin(target.repository, digest),
      policy: client.upstream.policy,
    };
    const hasRoom = running !== undefined || (await janitor.makeRoom(size));
    const reader = (range?: ByteRange) =>
      hasRoom ? this.#filled(ask, range) : this.#passedThrough(ask, range);
    return { blob: { digest, size, reader, release }, outcome: hasRoom ? "miss" : "bypass" };
  }

  /** Obtained only now, when somebody reads: until then nothing is asked of the upstream. */
  #filled(ask: FillAsk, range: ByteRange | undefined): BlobReader {
    const reader = this.#parts.fills.obtain(ask).reader(range);
    return onFailure(reader, async (error) => {
      if (isGranaryError(error, "size-mismatch")) await this.#parts.access.forgetSizes(ask.digest);
    });
  }

  #passedThrough({ digest, size, origin, policy }: FillAsk, range: ByteRange | undefined): BlobReader {
    const { clock, random, metrics } = this.#parts;
    metrics.bypasses.inc();
    const whole = range === undefined;
    return new PassThrough(
      { digest, size, origin, range: range ?? { start: 0, end: size }, whole },
      policy,
      clock,
      random,
    );
  }
}

/** `reader`, with `failed` run before its error reaches the caller. */
function onFailure(reader: BlobReader, failed: (error: unknown) => Promise<void>): BlobReader {
  const read = async (into: Uint8Array) => {
    try {
      return await reader.read(into);
    } catch (error) {
      await failed(error);
      throw error;
    }
  };
  return { read, close: () => reader.close() };
}
