/**
 * Owns one Partial of the simulation. It refuses what no Fill may do: write a byte that is present (F6), read one that is
 * not (F3), checkpoint or write after its close.
 */
import { createHash } from "node:crypto";
import { RangeSet } from "../../src/bytes/range-set.ts";
import { GranaryError } from "../../src/errors.ts";
import { type Digest, finishDigest } from "../../src/oci/digest.ts";
import type { DigestFollower, Partial, PartialKey } from "../../src/store/partial.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import { keyOf, type MemoryStore, noRoom, type Saved } from "./memory-spool.ts";

export class MemoryPartial implements Partial {
  readonly digest: Digest;
  readonly upstream: string;
  readonly size: number;
  readonly present: RangeSet;
  readonly resumed: boolean;
  readonly bytes: Buffer;
  dead = false;
  adopted = false;
  readonly #store: MemoryStore;
  readonly #clock: FakeClock;
  readonly #saved: Saved;
  #isClosed = false;
  /** Makes the digest computation under way fail. */
  breakFollower: (error: Error) => void = () => {};

  /** The next one may open it. */
  readonly endTurn: () => void;

  constructor(
    store: MemoryStore,
    clock: FakeClock,
    { digest, upstream }: PartialKey,
    saved: Saved,
    endTurn: () => void,
  ) {
    this.endTurn = endTurn;
    this.#store = store;
    this.#clock = clock;
    this.#saved = saved;
    this.digest = digest;
    this.upstream = upstream;
    this.size = saved.bytes.length;
    this.bytes = saved.bytes;
    this.present = RangeSet.of(saved.ranges);
    this.resumed = this.present.total > 0;
  }

  async write(offset: number, buffers: readonly Uint8Array[]): Promise<void> {
    await this.#pass(1);
    if (this.#store.full) throw noRoom();
    if (this.dead) return;
    if (this.#isClosed) throw new Error("a write after the close");
    let at = offset;
    for (const buffer of buffers) {
      if (buffer.length === 0) throw new Error("F7: an empty view was kept, and with it its whole chunk");
      if (this.present.has(at)) throw new Error(`F6: byte ${at} was written although it is present`);
      this.bytes.set(buffer, at);
      at += buffer.length;
    }
  }

  async lastWrite(): Promise<bigint> {
    return 0n;
  }

  grow(): never {
    throw new Error("not used by fills of a known size");
  }

  async holdsItsFile(): Promise<boolean> {
    return !this.adopted;
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    // As on disk: a read in flight is finished, a new one is refused.
    if (this.#isClosed) throw new GranaryError("closed", "a read after the close");
    await this.#pass(0);
    if (this.#store.unreadable) throw new GranaryError("store-damaged", "simulated: EIO");
    if (!this.present.covers({ start: offset, end: offset + into.length }))
      throw new Error("F3: a read of absent bytes");
    return this.bytes.copy(into, 0, offset, offset + into.length);
  }

  follow(): DigestFollower {
    const reached = Promise.withResolvers<Digest>();
    reached.promise.catch(() => {});
    this.breakFollower = reached.reject;
    const advance = (end: number) => {
      if (end !== this.size) return;
      this.#clock.after(5, () =>
        reached.resolve(finishDigest(createHash("sha256").update(this.bytes), "sha256")),
      );
    };
    return { advance, digest: () => reached.promise, close: () => {} };
  }

  async checkpoint(): Promise<void> {
    if (this.#isClosed) throw new Error("a checkpoint after the close");
    const ranges = this.present.snapshot();
    await this.#pass(30);
    if (this.#store.full) throw noRoom();
    if (!this.dead) this.#saved.ranges = ranges;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#store.opened.delete(this);
    this.endTurn();
  }

  async discard(): Promise<void> {
    this.#store.discards += 1;
    if (!this.dead) this.#store.saved.delete(keyOf(this));
    await this.close();
  }

  #pass(ms: number): Promise<void> {
    return new Promise((resolve) => this.#clock.after(ms, resolve));
  }
}
