/**
 * Owns the disk budget: what has to go so that something new fits. It removes what was set aside as damaged first, then the coldest
 * unpinned, partials included; nothing that is being read or filled is ever removed (F12), and nothing goes for what would not fit all the same.
 * Over 300 lines, because measuring, reserving and evicting must take turns.
 */
import { formatBytes } from "../../bytes/units.ts";
import { messageOf } from "../../errors.ts";
import type { Fills } from "../../fill/fills.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import { Episodes } from "../../observe/episodes.ts";
import type { Log } from "../../observe/log.ts";
import type { Metrics } from "../../observe/metrics.ts";
import type { Digest } from "../../oci/digest.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { PartialKey, SavedPartial, Spool } from "../../store/partial.ts";
import { type Candidate, coldest } from "./coldest.ts";
import type { Damage } from "./damage.ts";
import { type Budget, DATABASE_TABLES, type Disk, DiskMeasure, minFreeOf } from "./disk-measure.ts";
import type { Pins } from "./pins.ts";
import type { Uses } from "./uses.ts";

export type JanitorParts = {
  readonly budget: Budget;
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
  readonly spool: Spool;
  readonly pins: Pins;
  readonly uses: Uses;
  readonly fills: () => Fills;
  /** False while nothing may be written to the store: then there is no room for anything. */
  readonly isOurs: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Hears of `room`, `disk` and `partials`, and when they are over. */
  readonly troubles: Episodes;
  readonly damage: Damage;
};

type Victim = Candidate | { readonly kind: "damaged"; readonly name: string; readonly size: number };

/** All in bytes. */
export type DiskUse = { readonly used: number; readonly budget: number; readonly free: number };

/** Room that is kept for a fill that has not begun. */
export type Room = {
  /** The fill has begun, and is counted itself from now on. */
  taken(): void;
  /** One holder needs it no more. Idempotent. */
  release(): void;
};

type Kept = { readonly of: PartialKey; readonly bytes: number; holders: number };

type Measure = {
  readonly used: number;
  /** What fills have still to write, and what is kept for others. */
  readonly coming: number;
  readonly disk: Disk | undefined;
};

/** Longer than the time between two sweeps, so that what fails in each is one episode. */
const QUIET_MS = 150_000;

export class Janitor {
  readonly #parts: JanitorParts;
  /** By upstream and digest. */
  readonly #kept = new Map<string, Kept>();
  /** One at a time: two at once would count the same bytes as free twice. */
  #queue: Promise<unknown> = Promise.resolve();
  readonly #measuring: DiskMeasure;
  /** Blobs that did not fit are no trouble of the store, and one line says so for all that come in a row. */
  readonly #refused: Episodes;

  constructor(parts: JanitorParts) {
    this.#parts = parts;
    this.#refused = new Episodes(parts.log, parts.clock, QUIET_MS);
    this.#measuring = new DiskMeasure(parts);
  }

  /**
   * Room for the fill of `key`, shared by all who ask for the same one; undefined when evicting what can be evicted would
   * not be enough: then nothing is evicted. Never throws.
   */
  reserve(key: PartialKey, size: number): Promise<Room | undefined> {
    return this.#inTurn(() => this.#reserve(key, size), undefined);
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

  /** Also says whether there is room for anything new at all, when that has changed. */
  async use(): Promise<DiskUse> {
    const measure = await this.#measure();
    this.#judgeRoom(measure);
    const { used, disk } = measure;
    return { used, budget: this.#parts.budget.maxSize, free: disk?.free ?? this.#measuring.lastFree };
  }

  async #measure(): Promise<Measure> {
    const { metadata, fills } = this.#parts;
    // Before the rows: a fill that commits meanwhile is then counted twice for a moment, and never not at all.
    const running = fills().status();
    const kept = [...this.#kept.values()].filter(({ of }) => fills().find(of) === undefined);
    const [totals, database, saved, damaged, disk] = await Promise.all([
      metadata.totals(),
      metadata.size(),
      this.#measuring.saved(),
      this.#measuring.damaged(),
      this.#measuring.disk(),
    ]);
    this.#parts.damage.lying(damaged);
    let used = totals.bytes + Math.max(0, database - DATABASE_TABLES);
    for (const { size } of damaged) used += size;
    let coming = 0;
    for (const { present } of saved) used += present;
    for (const { present } of running) used += present;
    for (const { state, size, present } of running) if (state !== "bypassing") coming += size - present;
    for (const { bytes } of kept) coming += bytes;
    return { used, coming, disk };
  }

  #inTurn<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
    const turn = this.#queue.then(work).catch((error: unknown) => {
      this.#refused.trouble("budget", { reason: messageOf(error) }, "keeping the disk budget failed");
      return otherwise;
    });
    this.#queue = turn;
    return turn;
  }

  async #reserve(of: PartialKey, size: number): Promise<Room | undefined> {
    if (!this.#parts.isOurs()) return undefined;
    const { digest, upstream } = of;
    const key = `${upstream}\n${digest}`;
    const isCounted = () => this.#kept.has(key) || this.#parts.fills().find(of) !== undefined;
    const saved = (await this.#measuring.saved()).find(
      (partial) => partial.digest === digest && partial.upstream === upstream,
    );
    const bytes = Math.max(0, size - (saved?.present ?? 0));
    if (!isCounted() && !(await this.#makeRoom(bytes))) return await this.#refuse(bytes);
    const kept = this.#kept.get(key) ?? { of: { digest, upstream }, bytes, holders: 0 };
    kept.holders += 1;
    this.#kept.set(key, kept);
    return this.#roomOf(key, kept);
  }

  #roomOf(key: string, kept: Kept): Room {
    let isHeld = true;
    const taken = () => {
      if (this.#kept.get(key) === kept) this.#kept.delete(key);
    };
    const release = () => {
      if (!isHeld) return;
      isHeld = false;
      kept.holders -= 1;
      if (kept.holders === 0) taken();
    };
    return { taken, release };
  }

  async #refuse(bytes: number): Promise<undefined> {
    const facts = { size: formatBytes(bytes), budget: formatBytes(this.#parts.budget.maxSize) };
    this.#refused.trouble("refused", facts, "no room for a blob: passing it through without keeping it");
    this.#judgeRoom(await this.#measure());
    return undefined;
  }

  /** Whether anything new could be kept if everything else went; the person who runs this must hear when not. */
  #judgeRoom({ used, disk }: Measure): void {
    const { troubles, budget } = this.#parts;
    if (disk === undefined) return;
    const minFree = minFreeOf(budget, disk);
    if (disk.free + used >= minFree && disk.size > minFree) troubles.over("room");
    else troubles.trouble("room", {}, wordsOf(disk, used, minFree));
  }

  async #makeRoom(bytes: number): Promise<boolean> {
    const lacking = await this.#lacking(bytes);
    if (lacking <= 0) return true;
    if (bytes > this.#parts.budget.maxSize || lacking === Number.POSITIVE_INFINITY) return false;
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

  /** Bytes too many if `bytes` more came; infinite where no eviction could ever be enough: then none is made. */
  async #lacking(bytes: number): Promise<number> {
    const { used, coming, disk } = await this.#measure();
    const overBudget = used + coming + bytes - this.#parts.budget.maxSize;
    if (disk === undefined) return overBudget;
    const minFree = minFreeOf(this.#parts.budget, disk);
    if (minFree >= disk.size) return bytes > 0 || overBudget <= 0 ? Number.POSITIVE_INFINITY : overBudget;
    return Math.max(overBudget, coming + bytes + minFree - disk.free);
  }

  async #victimsFor(bytes: number): Promise<Victim[]> {
    const victims: Victim[] = [];
    let lacking = bytes;
    const { metadata, clock } = this.#parts;
    for (const { name, size, isFile } of await this.#measuring.damaged()) {
      if (!isFile || lacking <= 0) continue;
      victims.push({ kind: "damaged", name, size });
      lacking -= size;
    }
    if (lacking <= 0) return victims;
    for await (const candidate of coldest(metadata, await this.#measuring.saved(), clock.now())) {
      if (this.#isInUse(candidate.digest)) continue;
      victims.push(candidate);
      lacking -= candidate.size;
      if (lacking <= 0) break;
    }
    return victims;
  }

  #isInUse(digest: Digest): boolean {
    return this.#parts.pins.has(digest);
  }

  /** One that cannot be removed does not keep the others. */
  async #evict(victim: Victim): Promise<boolean> {
    const { metrics, log } = this.#parts;
    const { kind, size } = victim;
    const what = kind === "damaged" ? victim.name : victim.digest;
    try {
      if (!(await this.#remove(victim))) return false;
    } catch (error) {
      this.#notEvicted(what, kind, error);
      return false;
    }
    metrics.evictions.inc({ kind });
    log.info({ digest: what, kind, size: formatBytes(size) }, "evicted");
    return true;
  }

  async #remove(victim: Victim): Promise<boolean> {
    if (victim.kind === "damaged") {
      await this.#parts.blobs.removeDamaged(victim.name);
      return true;
    }
    if (this.#isInUse(victim.digest)) return false;
    return victim.kind === "blob" ? await this.#evictBlob(victim) : await this.#evictPartial(victim);
  }

  /** Row first, so that a crash leaves an orphan file and never a row that lies. */
  async #evictBlob({ digest }: Candidate): Promise<boolean> {
    const { metadata, blobs } = this.#parts;
    const row = await metadata.blob(digest);
    await metadata.forgetBlob(digest);
    if (this.#isInUse(digest)) {
      if (row !== undefined) await metadata.recordBlob(row);
      return false;
    }
    this.#parts.pins.giveWay(digest);
    // From here a new reader either has the file open already, which keeps its bytes, or finds the blob absent.
    await blobs.remove(digest);
    return true;
  }

  async #evictPartial(partial: Pick<SavedPartial, "digest" | "upstream">): Promise<boolean> {
    await this.#parts.spool.remove(partial);
    return true;
  }

  #notEvicted(digest: string, kind: string, error: unknown): void {
    this.#refused.trouble("eviction", { digest, kind, reason: messageOf(error) }, "an eviction failed");
  }

  /**
   * Left by fills that got no byte, which hold nothing, though there is a file of each; or of a digest that another upstream has brought
   * whole, which nobody will go on with.
   */
  async #removeEmptyPartials(): Promise<void> {
    for (const partial of await this.#measuring.saved()) {
      const { digest, present } = partial;
      if (this.#isInUse(digest)) continue;
      if (present > 0 && (await this.#parts.metadata.blob(digest)) === undefined) continue;
      await this.#evictPartial(partial).catch((error: unknown) => this.#notEvicted(digest, "partial", error));
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

function wordsOf({ free, size }: Disk, used: number, minFree: number): string {
  const kept = "Nothing new is kept, everything is passed through";
  const least = formatBytes(minFree);
  if (minFree >= size)
    return `storage.minFree (${least}) is more than the disk has (${formatBytes(size)}). ${kept}: lower storage.minFree, or give storage.directory a larger disk.`;
  return `The disk is full of other things: ${formatBytes(free)} are free, ${formatBytes(used)} are Granary's own, and ${least} must stay free (storage.minFree). ${kept}: free some space, or lower storage.minFree.`;
}
