/**
 * Owns the Spool and BlobStore of the simulation: in memory, with crashes. A crash keeps what the last checkpoint claimed
 * and scrambles everything else, as a disk may (F8). It also watches that no partial is open twice (F1).
 */
import type { ByteRange } from "../../src/bytes/byte-range.ts";
import { RangeSet } from "../../src/bytes/range-set.ts";
import { GranaryError } from "../../src/errors.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import type { BlobStore, StoredBlob } from "../../src/store/blob-store.ts";
import type { Partial, PartialKey, Spool } from "../../src/store/partial.ts";
import { Semaphore } from "../../src/waiting/semaphore.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import { MemoryPartial } from "./memory-partial.ts";

export type Saved = { readonly bytes: Buffer; ranges: readonly ByteRange[] };

export class MemoryStore implements Spool, BlobStore {
  readonly #clock: FakeClock;
  /** By upstream and digest, as `keyOf` puts them together. */
  readonly saved = new Map<string, Saved>();
  readonly blobs = new Map<Digest, Buffer>();
  readonly opened = new Set<MemoryPartial>();
  /** Of this process: whose turn it is to have a partial open. */
  #turns = new Semaphore(1);
  /** Blobs that were opened and not closed. */
  openBlobs = 0;
  /** While set, nothing can be created or written. */
  full = false;
  /** While set, nothing can be read back from a partial. */
  unreadable = false;
  /** The next adoptions that fail. */
  failingAdoptions = 0;
  discards = 0;
  /** Processes that have died: what one of them still does reaches nothing. */
  crashes = 0;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  /** What is saved of one upstream's blob. */
  savedOf(key: PartialKey): Saved | undefined {
    return this.saved.get(keyOf(key));
  }

  async openPartial(key: PartialKey, size: number): Promise<Partial> {
    const { digest, upstream } = key;
    const life = this.crashes;
    const turns = this.#turns;
    const endTurn = await new Promise<() => void>((begin) => {
      void turns.run(keyOf(key), () => new Promise<void>((end) => begin(end)));
    });
    try {
      return await this.#openInTurn({ digest, upstream }, size, life, endTurn);
    } catch (error) {
      endTurn();
      throw error;
    }
  }

  async #openInTurn(key: PartialKey, size: number, life: number, endTurn: () => void): Promise<Partial> {
    const { digest } = key;
    await this.#pass(1);
    for (const partial of this.opened) {
      if (keyOf(partial) === keyOf(key) && !partial.adopted) throw new Error(`F1: ${digest} is open twice`);
    }
    if (this.full && !this.saved.has(keyOf(key))) throw noRoom();
    const saved = this.savedOf(key) ?? { bytes: Buffer.alloc(size), ranges: [] };
    const partial = new MemoryPartial(this, this.#clock, key, saved, endTurn);
    partial.dead = life !== this.crashes;
    if (partial.dead) return partial;
    this.saved.set(keyOf(key), saved);
    this.opened.add(partial);
    return partial;
  }

  /** The process dies: what is open is gone, and only what maps claim can be trusted. */
  crash(): void {
    this.crashes += 1;
    this.#turns = new Semaphore(1);
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
    if (this.failingAdoptions > 0) {
      this.failingAdoptions -= 1;
      throw new GranaryError("store-damaged", "simulated: the rename failed");
    }
    if (digestOf(partial.bytes) !== digest) throw new Error(`F9: ${digest} was adopted with wrong bytes`);
    partial.adopted = true;
    partial.endTurn();
    this.blobs.set(digest, partial.bytes);
    this.saved.delete(keyOf(partial));
  }

  async open(digest: Digest): Promise<StoredBlob | undefined> {
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) return undefined;
    this.openBlobs += 1;
    const read = async (offset: number, into: Uint8Array) =>
      bytes.copy(into, 0, offset, offset + into.length);
    const close = async () => {
      this.openBlobs -= 1;
    };
    const verification = {
      verdict: Promise.resolve(true),
      done: bytes.length,
      hurry: () => undefined,
      stop: () => undefined,
    };
    const isVerified = async () => true;
    return {
      digest,
      size: bytes.length,
      identity: digest,
      wasVerified: true,
      read,
      isVerified,
      verify: async () => verification,
      close,
    };
  }

  async stat(digest: Digest) {
    const bytes = this.blobs.get(digest);
    return bytes === undefined ? undefined : { size: bytes.length };
  }

  remove(): never {
    throw new Error("not used by the engine");
  }

  async setAside(digest: Digest): Promise<void> {
    this.blobs.delete(digest);
  }

  async damaged() {
    return [];
  }

  async removeDamaged(): Promise<void> {}

  rangesOf(): never {
    throw new Error("not used by the engine");
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

export function keyOf({ digest, upstream }: PartialKey): string {
  return `${upstream}\n${digest}`;
}

export function noRoom(): GranaryError {
  return new GranaryError("store-full", "The simulated disk is full.");
}
