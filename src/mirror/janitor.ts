/**
 * Owns the disk budget: what has to go so that something new fits. It removes the coldest unpinned first, partials included;
 * nothing that is being read or filled is ever removed (F12), and nothing goes for what would not fit all the same.
 */
import { formatBytes } from "../bytes/units.ts";
import { messageOf } from "../errors.ts";
import type { Fills } from "../fill/fills.ts";
import type { Metadata } from "../metadata/metadata.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Digest } from "../oci/digest.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { Spool } from "../store/partial.ts";
import { type Candidate, coldest } from "./coldest.ts";
import type { Pins } from "./pins.ts";
import type { Uses } from "./uses.ts";

export type Budget = {
  /** Bytes that blobs and partials may hold together. */
  readonly maxSize: number;
  /** Bytes of the disk that stay free, whatever the budget says. */
  readonly minFree: number;
};

export type JanitorParts = {
  readonly budget: Budget;
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
  readonly spool: Spool;
  readonly pins: Pins;
  readonly uses: Uses;
  readonly fills: () => Fills;
  readonly log: Log;
  readonly metrics: Metrics;
};

/** All in bytes. */
export type DiskUse = { readonly used: number; readonly budget: number; readonly free: number };

/** Room that is kept for a fill that has not begun. */
export type Room = {
  /** The fill has begun, and is counted itself from now on. */
  taken(): void;
  /** One holder needs it no more. Idempotent. */
  release(): void;
};

type Kept = { readonly bytes: number; holders: number };

export class Janitor {
  readonly #parts: JanitorParts;
  readonly #kept = new Map<Digest, Kept>();
  /** One at a time: two at once would count the same bytes as free twice. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(parts: JanitorParts) {
    this.#parts = parts;
  }

  /**
   * Room for a fill of `digest`, shared by all who ask for the same one; undefined when evicting what can be evicted would
   * not be enough: then nothing is evicted. Never throws.
   */
  reserve(digest: Digest, size: number): Promise<Room | undefined> {
    return this.#inTurn(() => this.#reserve(digest, size), undefined);
  }

  /** Evicts until what is held and what running fills have still to write is within the budget; false when it is not. */
  makeRoom(): Promise<boolean> {
    return this.#inTurn(() => this.#makeRoom(0), false);
  }

  /** Brings what is held back within the budget, and the gauges up to date. Runs in the background: logs, never throws. */
  async sweep(): Promise<void> {
    await this.makeRoom();
    await this.#inTurn(() => this.#removeEmptyPartials(), undefined);
    await this.#inTurn(() => this.#report(), undefined);
  }

  async use(): Promise<DiskUse> {
    const { used, free } = await this.#measure();
    return { used, budget: this.#parts.budget.maxSize, free };
  }

  /** `coming` is what fills have still to write, and what is kept for others. */
  async #measure(): Promise<{ readonly used: number; readonly coming: number; readonly free: number }> {
    const { metadata, spool, blobs, fills } = this.#parts;
    // Before the rows: a fill that commits meanwhile is then counted twice for a moment, and never not at all.
    const running = fills().status();
    const kept = [...this.#kept].filter(([digest]) => fills().find(digest) === undefined);
    const [totals, saved, disk] = await Promise.all([metadata.totals(), spool.list(), blobs.disk()]);
    let used = totals.bytes;
    let coming = 0;
    for (const { present } of saved) used += present;
    for (const { present } of running) used += present;
    for (const { state, size, present } of running) if (state !== "bypassing") coming += size - present;
    for (const [, { bytes }] of kept) coming += bytes;
    return { used, coming, free: disk.free };
  }

  #inTurn<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
    const turn = this.#queue.then(work).catch((error: unknown) => {
      this.#parts.log.error({ reason: messageOf(error) }, "keeping the disk budget failed");
      return otherwise;
    });
    this.#queue = turn;
    return turn;
  }

  async #reserve(digest: Digest, size: number): Promise<Room | undefined> {
    const isCounted = () => this.#kept.has(digest) || this.#parts.fills().find(digest) !== undefined;
    const saved = (await this.#parts.spool.list()).find((partial) => partial.digest === digest);
    const bytes = Math.max(0, size - (saved?.present ?? 0));
    if (!isCounted() && !(await this.#makeRoom(bytes))) return undefined;
    const kept = this.#kept.get(digest) ?? { bytes, holders: 0 };
    kept.holders += 1;
    this.#kept.set(digest, kept);
    return this.#roomOf(digest, kept);
  }

  #roomOf(digest: Digest, kept: Kept): Room {
    let isHeld = true;
    const taken = () => {
      if (this.#kept.get(digest) === kept) this.#kept.delete(digest);
    };
    const release = () => {
      if (!isHeld) return;
      isHeld = false;
      kept.holders -= 1;
      if (kept.holders === 0) taken();
    };
    return { taken, release };
  }

  async #makeRoom(bytes: number): Promise<boolean> {
    const lacking = await this.#lacking(bytes);
    if (lacking <= 0) return true;
    if (bytes > this.#parts.budget.maxSize) return false;
    await this.#parts.uses.flush();
    const victims = await this.#victimsFor(lacking);
    const canFree = victims.reduce((sum, { size }) => sum + size, 0);
    // Nothing goes for what would not fit all the same. Without anything new, less too much is better than more.
    if (bytes > 0 && canFree < lacking) return false;
    let freed = 0;
    for (const victim of victims) if (await this.#evict(victim)) freed += victim.size;
    // Some file systems tell of freed bytes only seconds later: our own sum counts as well.
    return freed >= lacking || (await this.#lacking(bytes)) <= 0;
  }

  /** Bytes too many if `bytes` more came. */
  async #lacking(bytes: number): Promise<number> {
    const { maxSize, minFree } = this.#parts.budget;
    const { used, coming, free } = await this.#measure();
    return Math.max(used + coming + bytes - maxSize, coming + bytes + minFree - free);
  }

  async #victimsFor(bytes: number): Promise<Candidate[]> {
    const victims: Candidate[] = [];
    let lacking = bytes;
    for await (const candidate of coldest(this.#parts.metadata, this.#parts.spool)) {
      if (this.#isInUse(candidate.digest)) continue;
      victims.push(candidate);
      lacking -= candidate.size;
      if (lacking <= 0) break;
    }
    return victims;
  }

  #isInUse(digest: Digest): boolean {
    return this.#parts.pins.has(digest) || this.#parts.fills().find(digest) !== undefined;
  }

  /** One that cannot be removed does not keep the others. */
  async #evict(victim: Candidate): Promise<boolean> {
    const { metrics, log } = this.#parts;
    const { digest, kind, size } = victim;
    try {
      if (this.#isInUse(digest)) return false;
      const isGone = kind === "blob" ? await this.#evictBlob(victim) : await this.#evictPartial(digest);
      if (!isGone) return false;
    } catch (error) {
      log.error({ digest, kind, reason: messageOf(error) }, "an eviction failed");
      return false;
    }
    metrics.evictions.inc({ kind });
    log.info({ digest, kind, size: formatBytes(size) }, "evicted");
    return true;
  }

  /** Row first, so that a crash leaves an orphan file and never a row that lies. */
  async #evictBlob({ digest, size, usedAt }: Candidate): Promise<boolean> {
    const { metadata, blobs } = this.#parts;
    await metadata.forgetBlob(digest);
    if (this.#isInUse(digest)) {
      await metadata.recordBlob({ digest, size, usedAt });
      return false;
    }
    // From here a new reader either has the file open already, which keeps its bytes, or finds the blob absent.
    await blobs.remove(digest);
    return true;
  }

  async #evictPartial(digest: Digest): Promise<boolean> {
    const removing = this.#parts.spool.remove(digest);
    this.#parts.fills().holdBack(digest, removing);
    await removing;
    return true;
  }

  /** Left by fills that got no byte: they hold nothing, but there is a file of each. */
  async #removeEmptyPartials(): Promise<void> {
    for (const { digest, present } of await this.#parts.spool.list()) {
      if (present === 0 && !this.#isInUse(digest)) await this.#evictPartial(digest);
    }
  }

  async #report(): Promise<void> {
    const { used, budget, free } = await this.use();
    const { diskUsed, diskBudget, diskFree } = this.#parts.metrics;
    diskUsed.set(used);
    diskBudget.set(budget);
    diskFree.set(free);
  }
}
