/**
 * Owns blobs: a pinned, readable blob from disk, from the running Fill, or passed through when there is no room. Who may
 * have it is access.ts's, how it is fetched the Fill's.
 */
import type { ByteRange } from "../bytes/byte-range.ts";
import { GranaryError, isGranaryError, reasonOf } from "../errors.ts";
import type { FillAsk } from "../fill/fill.ts";
import type { Fills } from "../fill/fills.ts";
import { PassThrough } from "../fill/pass-through.ts";
import type { Clock } from "../observe/clock.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Digest } from "../oci/digest.ts";
import type { BlobReader, ReadableBlob } from "../source.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";
import type { Access } from "./access.ts";
import type { Janitor, Room } from "./janitor.ts";
import type { BlobAnswer, Outcome } from "./mirror.ts";
import { notFound } from "./not-found.ts";
import type { Pins } from "./pins.ts";
import { SingleFlight } from "./single-flight.ts";
import type { SoundBlobs } from "./sound-blobs.ts";
import { openStoredBlob } from "./stored-blob.ts";
import type { BlobTarget } from "./target.ts";
import type { Uses } from "./uses.ts";

export type BlobParts = {
  readonly sound: SoundBlobs;
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
  readonly #sizes: SingleFlight<number>;
  #isClosed = false;

  constructor(parts: BlobParts) {
    this.#parts = parts;
    this.#sizes = new SingleFlight(parts.clock);
  }

  /** A readable blob; the caller releases it. F12: the pin is taken before the first look-up. */
  async open(client: UpstreamClient, target: BlobTarget): Promise<BlobAnswer> {
    const release = this.#parts.pins.pin(target.digest);
    try {
      const size = await this.#linkedSize(client, target);
      this.#parts.uses.touch(target.digest);
      const stored = await this.#stored(client, target, size, release);
      if (stored !== undefined) return { blob: stored, outcome: "hit" };
      return await this.#cold(client, target, size, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Size without a body: from disk, from the running fill, from the manifest that listed it, else by one upstream HEAD. */
  async stat(client: UpstreamClient, target: BlobTarget): Promise<Sized> {
    const { digest } = target;
    const linked = await this.#linkedSize(client, target);
    const stored = await this.#parts.sound.stat(digest, linked);
    if (stored !== undefined) return { digest, size: stored.size, outcome: "hit" };
    return { digest, size: await this.#coldSize(client, target, linked), outcome: "miss" };
  }

  /** No reader begins a fill any more: the process stops. */
  close(): void {
    this.#isClosed = true;
  }

  /** The repository's own word that it has the blob: from a manifest seen, else from the upstream now (H54). */
  async #linkedSize(client: UpstreamClient, target: BlobTarget): Promise<number | undefined> {
    const link = await this.#parts.access.link(target, target.digest);
    return link === undefined ? await this.#sizeUpstream(client, target) : link.size;
  }

  async #coldSize(client: UpstreamClient, target: BlobTarget, linked: number | undefined): Promise<number> {
    const running = this.#parts.fills.find(target.digest)?.size;
    return running ?? linked ?? (await this.#sizeUpstream(client, target));
  }

  #sizeUpstream(client: UpstreamClient, target: BlobTarget): Promise<number> {
    const { upstream, repository, digest } = target;
    return this.#sizes.run(`${upstream}\n${repository}\n${digest}`, async () => {
      const head = await client.headBlob(repository, digest);
      if (head === undefined) throw notFound(target, digest);
      await this.#parts.access.recordLink(target, { digest, size: head.size });
      return head.size;
    });
  }

  async #stored(
    client: UpstreamClient,
    target: BlobTarget,
    linked: number | undefined,
    release: () => void,
  ): Promise<ReadableBlob | undefined> {
    const { digest } = target;
    // A fill that is running is asked first: its readers get what is there without a look at the disk (F9).
    if (this.#parts.fills.find(digest) !== undefined) return undefined;
    const { sound } = this.#parts;
    const stored = await sound.open(digest, linked);
    if (stored === undefined) return undefined;
    const { size } = stored;
    return openStoredBlob(stored, release, async (error, range, offset) => {
      // Nothing can be kept while the damaged one is in its place.
      const isMended = await sound.dropDamaged(digest, error);
      const room = isMended ? await this.#parts.janitor.reserve(digest, size) : undefined;
      const ask = askOf(client, target, size);
      const rest = range === undefined ? undefined : { start: offset, end: range.end };
      const reader = this.#doubting(target, this.#reader(ask, room, rest));
      return restOf(reader, range === undefined ? offset : 0, () => room?.release());
    });
  }

  async #cold(
    client: UpstreamClient,
    target: BlobTarget,
    linked: number | undefined,
    unpin: () => void,
  ): Promise<BlobAnswer> {
    const { digest } = target;
    const size = await this.#coldSize(client, target, linked);
    const ask = askOf(client, target, size);
    const room = await this.#parts.janitor.reserve(digest, size);
    const reader = (range?: ByteRange) => this.#doubting(target, this.#reader(ask, room, range));
    const release = () => {
      room?.release();
      unpin();
    };
    return { blob: { digest, size, reader, release }, outcome: room === undefined ? "bypass" : "miss" };
  }

  /** The fill is obtained only now, when somebody reads: until then nothing is asked of the upstream. */
  #reader(ask: FillAsk, room: Room | undefined, range: ByteRange | undefined): BlobReader {
    if (this.#isClosed) return failing(new GranaryError("closed", "Granary is shutting down."));
    if (room === undefined) return this.#passedThrough(ask, range);
    const fill = this.#parts.fills.obtain(ask);
    room.taken();
    return fill.size === ask.size ? fill.reader(range) : failing(otherSize(ask, fill.size));
  }

  #passedThrough({ digest, size, origin, policy }: FillAsk, range: ByteRange | undefined): BlobReader {
    const { clock, random, metrics } = this.#parts;
    metrics.bypasses.inc();
    const asked = {
      digest,
      size,
      origin,
      range: range ?? { start: 0, end: size },
      whole: range === undefined,
    };
    return new PassThrough(asked, policy, clock, random);
  }

  /** `reader`; an error that a wrong size can have caused makes the next ask find out the right one. */
  #doubting(target: BlobTarget, reader: BlobReader): BlobReader {
    const { digest } = target;
    const read = async (into: Uint8Array) => {
      try {
        return await reader.read(into);
      } catch (error) {
        if (isGranaryError(error, "size-mismatch", "digest-mismatch", "range-unsatisfiable"))
          await this.#parts.access.forgetSizes(digest);
        throw forReader(target, error);
      }
    };
    return { read, close: () => reader.close() };
  }
}

/**
 * A transfer has readers of many repositories, and what ended it may quote the one that began it: each hears of its own. The
 * transfer's log line tells the whole.
 */
function forReader({ upstream, repository, digest }: BlobTarget, error: unknown): unknown {
  if (!isGranaryError(error)) return error;
  const { reason = reasonOf(error), ...facts } = error.facts;
  const target = `${upstream}/${repository}@${digest}`;
  const message = `${target} could not be read: ${reason}.`;
  return new GranaryError(error.code, message, { ...facts, target, cause: error });
}

function askOf(client: UpstreamClient, { repository, digest }: BlobTarget, size: number): FillAsk {
  return { digest, size, origin: client.blobOrigin(repository, digest), policy: client.upstream.policy };
}

/** `reader` after its first `skipped` bytes; a whole is read from its start, because only so is its end held back (F18). */
function restOf(reader: BlobReader, skipped: number, release: () => void): BlobReader {
  let left = skipped;
  const read = async (into: Uint8Array): Promise<number> => {
    while (left > 0) {
      const count = await reader.read(left < into.length ? into.subarray(0, left) : into);
      if (count === 0) return 0;
      left -= count;
    }
    return await reader.read(into);
  };
  const close = () => {
    reader.close();
    release();
  };
  return { read, close };
}

function failing(error: GranaryError): BlobReader {
  return { read: () => Promise.reject(error), close: () => undefined };
}

/** F2: this client was told one size, and the running fill goes by another; one of the two descriptors is wrong. */
function otherSize({ digest, size }: FillAsk, found: number): GranaryError {
  const message = `${digest} was said to have ${size} bytes, and is being filled as one of ${found}.`;
  return new GranaryError("size-mismatch", message, { expected: size, found, target: digest });
}
