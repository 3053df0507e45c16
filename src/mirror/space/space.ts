/**
 * Owns the disk budget: whether something new fits, what is kept for it until it is there, and how much has to go for it. A cold request
 * costs a look at kept sums and at the disk's free bytes, however much is stored. Nothing goes for what would not fit all the same.
 */
import { formatBytes } from "../../bytes/units.ts";
import { messageOf } from "../../errors.ts";
import type { Room } from "../../fill/room.ts";
import { Episodes } from "../../observe/episodes.ts";
import type { Metrics } from "../../observe/metrics.ts";
import type { PartialKey, SavedPartial } from "../../store/partial.ts";
import type { Damage } from "./damage.ts";
import {
  type Budget,
  type Disk,
  DiskMeasure,
  type DiskMeasureParts,
  type Look,
  minFreeOf,
} from "./disk-measure.ts";
import { Janitor, type JanitorParts } from "./janitor.ts";
import { Ledger } from "./ledger.ts";
import type { Ownership } from "./ours-alone.ts";

export type SpaceParts = DiskMeasureParts &
  Omit<JanitorParts, "ledger" | "episodes"> & {
    readonly budget: Budget;
    /** While the directory is not ours nothing may be written there: then there is no room for anything. */
    readonly ownership: Ownership;
    readonly damage: Damage;
    readonly metrics: Metrics;
  };

/** All in bytes. */
export type DiskUse = { readonly used: number; readonly budget: number; readonly free: number };

/** Room that is kept for a fill that has not begun. */
export type Reservation = {
  /** True when somebody else had it already: a fill that runs, or a reader whose fill has not begun. */
  readonly isShared: boolean;
  /** It is needed no more, or the fill keeps it by itself. Idempotent. */
  release(): void;
};

/** All in bytes. */
type Balance = {
  readonly used: number;
  /** What fills have still to write, and what is kept for others. */
  readonly coming: number;
  readonly disk: Disk | undefined;
};

type Measured = {
  readonly look: Look;
  /** Bytes of blobs. */
  readonly stored: number;
  /** Ledger.left when the measuring began. */
  readonly left: number;
};

/** Longer than the time between two sweeps, so that what fails in each is one episode. */
const QUIET_MS = 150_000;

export class Space {
  readonly #parts: SpaceParts;
  readonly #ledger: Ledger;
  readonly #measuring: DiskMeasure;
  readonly #janitor: Janitor;
  /** Evictions come one after another: two at once would count the same victims twice. */
  #queue: Promise<unknown> = Promise.resolve();
  /** Blobs that did not fit are no trouble of the store, and one line says so for all that come in a row. */
  readonly #episodes: Episodes;
  #isCounted = true;

  constructor(parts: SpaceParts) {
    this.#parts = parts;
    this.#ledger = new Ledger(parts.clock);
    this.#measuring = new DiskMeasure(parts);
    this.#episodes = new Episodes(parts.log, parts.clock, QUIET_MS);
    this.#janitor = new Janitor({ ...parts, ledger: this.#ledger, episodes: this.#episodes });
  }

  /**
   * Keeps room for the fill of `key`, a blob of `size` bytes; undefined when evicting what can be evicted would not be enough: then nothing
   * is evicted. Everybody who asks for the same one shares it. Never throws.
   */
  async reserve(key: PartialKey, size: number): Promise<Reservation | undefined> {
    if (!this.#parts.ownership.isOurs || !this.#isCounted) return undefined;
    const measured = await this.#measure();
    // No await from here to the reservation: nobody else can be given the same bytes.
    const needed = this.#ledger.needed(key, size);
    const isShared = needed === 0 && !this.#ledger.isIdle(key);
    if (isShared || this.#lacking(this.#balanceOf(measured), needed) <= 0)
      return this.#reservation(key, size);
    return await this.#inTurn(() => this.#evictFor(key, size), undefined);
  }

  /** The room of a fill that begins, reserved before or not. */
  takeRoom(key: PartialKey, size: number): Room {
    return this.#ledger.room(key, size, () => this.trim());
  }

  /** Evicts what is too much for the budget, or what can go of that; false when too much is left. Never throws. */
  trim(): Promise<boolean> {
    return this.#inTurn(() => this.#trim(), false);
  }

  /**
   * Brings what is stored back within the budget, and what is known of partials and the gauges up to date: files may have been removed or
   * changed by others. Runs in the background: logs, never throws.
   */
  async sweep(): Promise<void> {
    await this.trim();
    await this.#inTurn(() => this.#lookAtPartials(), undefined);
    await this.#inTurn(() => this.use(), undefined);
  }

  /** See `countPartials`. */
  get revision(): number {
    return this.#ledger.revision;
  }

  /** `saved` is all of use that lay on the disk when the space had `revision`. */
  countPartials(saved: readonly SavedPartial[], revision: number): void {
    this.#ledger.correct(saved, revision);
  }

  /** Until the returned function is called nothing new is kept: more is stored than anybody has counted yet. */
  waitForCount(): () => void {
    this.#isCounted = false;
    return () => {
      this.#isCounted = true;
    };
  }

  /** Also brings the gauges up to date, and says whether there is room for anything new at all, when that has changed. */
  async use(): Promise<DiskUse> {
    const measured = await this.#measure();
    const balance = this.#balanceOf(measured);
    this.#judgeRoom(balance);
    const { metrics, budget } = this.#parts;
    const free = balance.disk?.free ?? this.#measuring.lastFree;
    metrics.diskUsed.set(balance.used);
    metrics.diskBudget.set(budget.maxSize);
    metrics.diskFree.set(free);
    return { used: balance.used, budget: budget.maxSize, free };
  }

  /** With what left the ledger meanwhile, for `#balanceOf`. */
  async #measure(): Promise<Measured> {
    const { left } = this.#ledger;
    const [look, rows] = await Promise.all([this.#measuring.look(), this.#parts.metadata.sums()]);
    this.#parts.damage.lying(look.damaged);
    return { look, stored: rows.bytes, left };
  }

  /** Of this very tick: nothing may be awaited between this and what is decided by it. */
  #balanceOf({ look, stored, left }: Measured): Balance {
    const damaged = look.damaged.reduce((sum, { size }) => sum + size, 0);
    const partials = this.#ledger.occupied + this.#ledger.left - left;
    const used = stored + look.database + damaged + partials;
    return { used, coming: this.#ledger.coming, disk: look.disk };
  }

  /** Bytes too many if `bytes` more came; infinite where no eviction could ever be enough: then none is made. */
  #lacking({ used, coming, disk }: Balance, bytes: number): number {
    const { budget } = this.#parts;
    const overBudget = used + coming + bytes - budget.maxSize;
    if (bytes > budget.maxSize) return Number.POSITIVE_INFINITY;
    if (disk === undefined) return overBudget;
    const minFree = minFreeOf(budget, disk);
    if (minFree >= disk.size) return bytes > 0 || overBudget <= 0 ? Number.POSITIVE_INFINITY : overBudget;
    return Math.max(overBudget, coming + bytes + minFree - disk.free);
  }

  #inTurn<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
    const turn = this.#queue.then(work).catch((error: unknown) => {
      this.#episodes.trouble("budget", { reason: messageOf(error) }, "keeping the disk budget failed");
      return otherwise;
    });
    this.#queue = turn;
    return turn;
  }

  async #evictFor(key: PartialKey, size: number): Promise<Reservation | undefined> {
    const measured = await this.#measure();
    const needed = this.#ledger.needed(key, size);
    const lacking = this.#lacking(this.#balanceOf(measured), needed);
    if (lacking === Number.POSITIVE_INFINITY) return await this.#refuse(needed);
    // Before anything goes: what becomes free is this one's, and nobody else's.
    const reservation = this.#reservation(key, size);
    let hasRoom = false;
    try {
      hasRoom = lacking <= 0 || (await this.#evict(lacking, measured, needed > 0));
    } finally {
      if (!hasRoom) reservation.release();
    }
    return hasRoom ? reservation : await this.#refuse(needed);
  }

  async #trim(): Promise<boolean> {
    const measured = await this.#measure();
    const lacking = this.#lacking(this.#balanceOf(measured), 0);
    if (lacking <= 0) return true;
    return Number.isFinite(lacking) && (await this.#evict(lacking, measured, false));
  }

  /** Some file systems tell of freed bytes only seconds later: our own sum counts as well. */
  async #evict(lacking: number, { look }: Measured, isAllOrNothing: boolean): Promise<boolean> {
    const freed = await this.#janitor.free(lacking, look.damaged, isAllOrNothing);
    if (freed >= lacking) return true;
    const measured = await this.#measure();
    return this.#lacking(this.#balanceOf(measured), 0) <= 0;
  }

  #reservation(key: PartialKey, size: number): Reservation {
    const isShared = !this.#ledger.isIdle(key);
    return { isShared, release: this.#ledger.reserve(key, size) };
  }

  async #refuse(bytes: number): Promise<undefined> {
    const facts = { size: formatBytes(bytes), budget: formatBytes(this.#parts.budget.maxSize) };
    this.#episodes.trouble("refused", facts, "no room for a blob: passing it through without keeping it");
    const measured = await this.#measure();
    this.#judgeRoom(this.#balanceOf(measured));
    return undefined;
  }

  /** Whether anything new could be kept if everything else went; the person who runs this must hear when not. */
  #judgeRoom({ disk, used }: Balance): void {
    const { troubles, budget } = this.#parts;
    if (disk === undefined) return;
    const minFree = minFreeOf(budget, disk);
    if (disk.free + used >= minFree && disk.size > minFree) troubles.over("room");
    else troubles.trouble("room", {}, wordsOf(disk, used, minFree));
  }

  async #lookAtPartials(): Promise<void> {
    const { revision } = this.#ledger;
    const saved = await this.#measuring.saved();
    if (saved === undefined) return;
    this.#ledger.correct(saved, revision);
    await this.#removeUseless(saved);
  }

  /**
   * Left by fills that got no byte, which hold nothing, though there is a file of each; or of a digest that another upstream has brought
   * whole, which nobody will go on with.
   */
  async #removeUseless(saved: readonly SavedPartial[]): Promise<void> {
    const { pins, metadata } = this.#parts;
    for (const partial of saved) {
      const { digest, present } = partial;
      if (pins.has(digest) || !this.#ledger.isIdle(partial)) continue;
      if (present === 0 || (await metadata.blob(digest)) !== undefined)
        await this.#janitor.removePartial(partial);
    }
  }
}

function wordsOf({ free, size }: Disk, used: number, minFree: number): string {
  const kept = "Nothing new is kept, everything is passed through";
  const least = formatBytes(minFree);
  if (minFree >= size)
    return `storage.minFree (${least}) is more than the disk has (${formatBytes(size)}). ${kept}: lower storage.minFree, or give storage.directory a larger disk.`;
  return `The disk is full of other things: ${formatBytes(free)} are free, ${formatBytes(used)} are Granary's own, and ${least} must stay free (storage.minFree). ${kept}: free some space, or lower storage.minFree.`;
}
