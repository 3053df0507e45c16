/**
 * Owns the Spool and BlobStore of the simulation: in memory, with crashes. A crash keeps what the last checkpoint claimed
 * and scrambles everything else, as a disk may (F8). It also watches that no partial is open twice (F1).
 */
import { createHash } from "node:crypto";
import type { ByteRange } from "../../src/bytes/byte-range.ts";
import { RangeSet } from "../../src/bytes/range-set.ts";
import { GranaryError } from "../../src/errors.ts";
import { type Digest, digestOf, finishDigest } from "../../src/oci/digest.ts";
import type { BlobStore, StoredBlob } from "../../src/store/blob-store.ts";
import type { DigestFollower, Partial, Spool } from "../../src/store/partial.ts";
import type { FakeClock } from "../support/fake-clock.ts";

type Saved = { readonly bytes: Buffer; ranges: readonly ByteRange[] };

export class MemoryStore implements Spool, BlobStore {
  readonly #clock: FakeClock;
  readonly saved = new Map<Digest, Saved>();
  readonly blobs = new Map<Digest, Buffer>();
  readonly opened = new Set<MemoryPartial>();
  /** While set, writes find no room. */
  full = false;
  discards = 0;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  async openPartial(digest: Digest, size: number): Promise<Partial> {
    await this.#pass(1);
    for (const partial of this.opened) {
      if (partial.digest === digest && !partial.adopted) throw new Error(`F1: ${digest} is open twice`);
    }
    const saved = this.saved.get(digest) ?? { bytes: Buffer.alloc(size), ranges: [] };
    this.saved.set(digest, saved);
    const partial = new MemoryPartial(this, this.#clock, digest, saved);
    this.opened.add(partial);
    return partial;
  }

  /** The process dies: what is open is gone, and only what maps claim can be trusted. */
  crash(): void {
    for (const partial of this.opened) partial.dead = true;
    this.opened.clear();
    for (const { bytes, ranges } of this.saved.values()) {
      const kept = RangeSet.of(ranges);
      for (let at = 0; at < bytes.length; ) {
        const gap = kept.firstGap({ start: at, end: bytes.length });
        if (gap === undefined) break;
        bytes.fill(0xee, gap.start, gap.end);
        at = gap.end;
      }
    }
  }

  async adopt(partial: Partial, digest: Digest): Promise<void> {
    await this.#pass(20);
    if (!(partial instanceof MemoryPartial)) throw new Error("a foreign partial");
    if (partial.dead) return;
    if (digestOf(partial.bytes) !== digest) throw new Error(`F9: ${digest} was adopted with wrong bytes`);
    partial.adopted = true;
    this.blobs.set(digest, partial.bytes);
    this.saved.delete(digest);
  }

  async open(digest: Digest): Promise<StoredBlob | undefined> {
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) return undefined;
    const read = async (offset: number, into: Uint8Array) =>
      bytes.copy(into, 0, offset, offset + into.length);
    return { digest, size: bytes.length, read, close: async () => {} };
  }

  async stat(digest: Digest) {
    const bytes = this.blobs.get(digest);
    return bytes === undefined ? undefined : { size: bytes.length };
  }

  async remove(digest: Digest): Promise<void> {
    this.blobs.delete(digest);
    this.saved.delete(digest);
  }

  list(): never {
    throw new Error("not used by the engine");
  }

  async disk() {
    return { free: 1e12, size: 1e12 };
  }

  #pass(ms: number): Promise<void> {
    return new Promise((resolve) => this.#clock.after(ms, resolve));
  }
}

export class MemoryPartial implements Partial {
  readonly digest: Digest;
  readonly size: number;
  readonly present: RangeSet;
  readonly resumed: boolean;
  readonly bytes: Buffer;
  dead = false;
  adopted = false;
  readonly #store: MemoryStore;
  readonly #clock: FakeClock;
  readonly #saved: Saved;

  constructor(store: MemoryStore, clock: FakeClock, digest: Digest, saved: Saved) {
    this.#store = store;
    this.#clock = clock;
    this.#saved = saved;
    this.digest = digest;
    this.size = saved.bytes.length;
    this.bytes = saved.bytes;
    this.present = RangeSet.of(saved.ranges);
    this.resumed = this.present.total > 0;
  }

  async write(offset: number, buffers: readonly Uint8Array[]): Promise<void> {
    await this.#pass(1);
    if (this.#store.full) throw new GranaryError("store-full", "The simulated disk is full.");
    if (this.dead) return;
    let at = offset;
    for (const buffer of buffers) {
      if (this.present.has(at)) throw new Error(`F6: byte ${at} was written although it is present`);
      this.bytes.set(buffer, at);
      at += buffer.length;
    }
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    await this.#pass(0);
    if (!this.present.covers({ start: offset, end: offset + into.length }))
      throw new Error("F3: a read of absent bytes");
    return this.bytes.copy(into, 0, offset, offset + into.length);
  }

  follow(): DigestFollower {
    const reached = Promise.withResolvers<Digest>();
    const advance = (end: number) => {
      if (end !== this.size) return;
      this.#clock.after(5, () =>
        reached.resolve(finishDigest(createHash("sha256").update(this.bytes), "sha256")),
      );
    };
    return { advance, digest: () => reached.promise, close: () => {} };
  }

  async checkpoint(): Promise<void> {
    const ranges = this.present.snapshot();
    await this.#pass(30);
    if (!this.dead) this.#saved.ranges = ranges;
  }

  async close(): Promise<void> {
    this.#store.opened.delete(this);
  }

  async discard(): Promise<void> {
    this.#store.discards += 1;
    this.#store.saved.delete(this.digest);
    await this.close();
  }

  #pass(ms: number): Promise<void> {
    return new Promise((resolve) => this.#clock.after(ms, resolve));
  }
}
