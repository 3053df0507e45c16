/**
 * Owns how the bytes of one fill get into the bucket behind it, part by part, under one lease: so that they are there when the digest turns out to
 * be right, and so that a successor finds what a dying node has uploaded. It never makes an object of bytes that are not verified (G5), never
 * writes in the name of a lease that is lost (G6, G13), and nothing of the fill waits for it.
 */
import type { ByteRange } from "../../bytes/byte-range.ts";
import { lengthOf } from "../../bytes/byte-range.ts";
import type { RangeSet } from "../../bytes/range-set.ts";
import { isGranaryError, messageOf } from "../../errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { sleep } from "../../waiting/sleep.ts";
import type { UploadPart } from "../bucket.ts";
import type { Lease } from "../fleet.ts";
import { objectKeyOf, partCountOf, partRange, partSizeOf } from "../object-key.ts";
import type { ReadableBytes, TransferParts } from "./transfer-parts.ts";

export type UploadOf = ReadableBytes & {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Live. */
  readonly present: RangeSet;
};

/** How long a store that fails is left alone before the next try. */
const PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** A large blob has thousands of parts, and is written in hundreds of thousands of pieces. */
const LOOKS_PER_PART = 4;

export class UploadBehind {
  readonly objectKey: string;
  readonly #of: UploadOf;
  readonly #lease: Lease;
  readonly #parts: TransferParts;
  readonly #done = new Map<number, UploadPart>();
  readonly #running = new Map<number, Promise<void>>();
  readonly #stop = new AbortController();
  #read: ReadableBytes["read"];
  #uploadId: Promise<string | undefined> | undefined;
  /** How much has to be present before parts are looked for again, bytes. */
  #lookAt = 0;
  /** The upload is no more: a successor has completed it, or somebody has aborted it. */
  #isGone = false;
  /** What could not be read: trying again at once would not help. */
  #broken: { readonly error: unknown } | undefined;

  constructor(of: UploadOf, lease: Lease, parts: TransferParts) {
    this.#of = of;
    this.#lease = lease;
    this.#parts = parts;
    this.#read = of.read;
    this.objectKey = objectKeyOf(of.digest, lease.epoch);
  }

  /** More bytes are present: parts that are whole now go up. Called for every write, so it looks only when a good piece of a part has come. */
  grown(): void {
    if (this.#of.present.total < this.#lookAt) return;
    this.#lookAt = this.#of.present.total + partSizeOf(this.#of.size) / LOOKS_PER_PART;
    this.#look();
  }

  /**
   * The digest is right, and `read` gives the bytes from now on: uploads what is missing and makes the object. True when it is there; false when
   * the lease or the upload was lost. Throws what `read` throws.
   */
  async finish(read: ReadableBytes["read"]): Promise<boolean> {
    this.#read = read;
    this.#broken = undefined;
    if (this.#isSmall) return await this.#put();
    while (!this.#isOver && this.#done.size < this.#count) {
      this.#look();
      await Promise.race([...this.#running.values(), this.#over]);
      if (this.#broken !== undefined) throw (this.#broken as { readonly error: unknown }).error;
    }
    const uploadId = await this.#uploadId;
    if (this.#isOver || uploadId === undefined) return false;
    const parts = [...this.#done.values()].sort((a, b) => a.number - b.number);
    return (await this.#insist(() => this.#parts.bucket.complete(this.objectKey, uploadId, parts))) === true;
  }

  /** Uploads no more. What is uploaded stays, for whoever goes on. Resolves when no request is under way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running.values());
  }

  /** Stops, and takes back what was uploaded: it was wrong, or is not needed. Never rejects. */
  async discard(): Promise<void> {
    await this.stop();
    try {
      const uploadId = await this.#uploadId;
      if (uploadId !== undefined) await this.#parts.bucket.abort(this.objectKey, uploadId);
    } catch (error) {
      // The janitor of the bucket finds it after a day.
      this.#failed(error);
    }
  }

  #look(): void {
    if (this.#isSmall || this.#isOver || this.#broken !== undefined) return;
    for (let number = 1; number <= this.#count; number++)
      if (!this.#done.has(number) && !this.#running.has(number) && this.#isPresent(number))
        this.#begin(number);
  }

  get #count(): number {
    return partCountOf(this.#of.size);
  }

  /** One part, or none: it goes up in one piece once it is verified. */
  get #isSmall(): boolean {
    return this.#of.size <= partSizeOf(this.#of.size);
  }

  get #isOver(): boolean {
    return this.#isGone || this.#stop.signal.aborted || !this.#lease.isMine;
  }

  /** Resolves when nothing may be uploaded any more. */
  get #over(): Promise<void> {
    const either = AbortSignal.any([this.#stop.signal, this.#lease.lost]);
    return sleep(LONGEST_PAUSE_MS, this.#parts.clock, either);
  }

  #isPresent(number: number): boolean {
    return this.#of.present.covers(partRange(number, this.#of.size));
  }

  #begin(number: number): void {
    const running = this.#upload(number)
      .catch((error: unknown) => {
        this.#broken = { error };
      })
      .finally(() => this.#running.delete(number));
    this.#running.set(number, running);
  }

  async #upload(number: number): Promise<void> {
    const uploadId = await this.#opened();
    if (uploadId === undefined) return;
    await this.#parts.uploads.run("part", async () => {
      if (this.#isOver) return;
      const bytes = await this.#bytesOf(partRange(number, this.#of.size));
      const part = await this.#insist(() =>
        this.#parts.bucket.putPart(this.objectKey, uploadId, number, bytes),
      );
      if (part !== undefined) this.#done.set(number, part);
      else if (!this.#isOver) this.#isGone = true;
    });
  }

  /** The upload's id, which is written down before the first part: otherwise a successor could not find it. */
  #opened(): Promise<string | undefined> {
    this.#uploadId ??= this.#open();
    return this.#uploadId;
  }

  async #open(): Promise<string | undefined> {
    const { objectKey } = this;
    const uploadId = await this.#insist(() => this.#parts.bucket.begin(objectKey));
    if (uploadId === undefined) return undefined;
    try {
      await this.#insist(() => this.#lease.noteUpload({ objectKey, uploadId }));
    } catch (error) {
      if (!isGranaryError(error, "closed")) throw error;
      this.#isGone = true;
    }
    return uploadId;
  }

  async #put(): Promise<boolean> {
    const bytes = await this.#bytesOf({ start: 0, end: this.#of.size });
    const isThere = await this.#insist(async () => {
      await this.#parts.bucket.put(this.objectKey, bytes);
      return true;
    });
    return isThere === true;
  }

  async #bytesOf(range: ByteRange): Promise<Uint8Array> {
    const bytes = new Uint8Array(lengthOf(range));
    for (let at = 0; at < bytes.length; ) {
      const count = await this.#read(range.start + at, bytes.subarray(at));
      if (count === 0) throw new RangeError(`${this.#of.digest} is shorter on disk than ${range.end} bytes.`);
      at += count;
    }
    return bytes;
  }

  /** Tries until it is done, while the store does not answer; undefined when nothing may be uploaded any more. */
  async #insist<T>(work: () => Promise<T>): Promise<T | undefined> {
    for (let pauseMs = PAUSE_MS; !this.#isOver; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        return await work();
      } catch (error) {
        if (!isGranaryError(error, "fleet-unavailable")) throw error;
        this.#failed(error);
        await sleep(pauseMs, this.#parts.clock, AbortSignal.any([this.#stop.signal, this.#lease.lost]));
      }
    }
    return undefined;
  }

  #failed(error: unknown): void {
    if (this.#isOver) return;
    const facts = { digest: this.#of.digest, reason: messageOf(error) };
    const text =
      "a blob could not be brought to the bucket of the fleet: it is served from here, and is tried again";
    this.#parts.episodes.trouble("uploads to the bucket", facts, text);
  }
}
