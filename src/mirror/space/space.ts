/**
 * Owns the disk budget: the room that is reserved for something new, and the evictions that it takes, one after another. balance.ts computes
 * how much is missing. A cold request costs a look at sums that are kept up to date, and one question to the disk, however much is stored.
 * Nothing is evicted for a blob that would not fit even then.
 */
import { formatBytes } from "../../bytes/units.ts";
import { messageOf } from "../../errors.ts";
import type { Room } from "../../fill/room.ts";
import { Episodes } from "../../observe/episodes.ts";
import type { Metrics } from "../../observe/metrics.ts";
import type { PartialKey, SavedPartial } from "../../store/partial.ts";
import { Semaphore } from "../../waiting/semaphore.ts";
import { type Balance, balanceOf, lackingFor, type Measured, noRoomAtAll } from "./balance.ts";
import type { Candidate } from "./coldest.ts";
import type { Damage } from "./damage.ts";
import { type Budget, DiskMeasure, type DiskMeasureParts, type DiskUse, minFreeOf } from "./disk-measure.ts";
import { goNext } from "./go-next.ts";
import { Janitor, type JanitorParts, type Victim } from "./janitor.ts";
import { type IdlePartial, Ledger } from "./ledger.ts";
import type { Ownership } from "./ours-alone.ts";

export type SpaceParts = DiskMeasureParts &
  Omit<JanitorParts, "ledger" | "episodes"> & {
    readonly budget: Budget;
    /** While another process has the directory, nothing may be written there: then there is no room for anything. */
    readonly ownership: Ownership;
    readonly damage: Damage;
    readonly metrics: Metrics;
  };

/** Room for a fill that has not begun. */
export type Reservation = {
  /** True when somebody else had it already: a fill that runs, or a reader whose fill has not begun. */
  readonly isShared: boolean;
  /** It is not needed any more, or the fill has its own Room by now. Idempotent. */
  release(): void;
};

/** Longer than the time between two sweeps, so that a failure in each of them is one episode. */
const QUIET_MS = 150_000;

export class Space {
  readonly #parts: SpaceParts;
  readonly #ledger: Ledger;
  readonly #measuring: DiskMeasure;
  readonly #janitor: Janitor;
  /** Evictions run one after another: two at the same time would both count on the same victims. */
  readonly #turns = new Semaphore(1);
  /** For blobs that did not fit, which is no trouble of the store: one line of the log for all that come in a row. */
  readonly #episodes: Episodes;
  #isCounted = true;
  #budget: Budget;

  constructor(parts: SpaceParts) {
    this.#parts = parts;
    this.#budget = parts.budget;
    this.#ledger = new Ledger(parts.clock);
    this.#measuring = new DiskMeasure(parts);
    this.#episodes = new Episodes(parts.log, parts.clock, QUIET_MS);
    this.#janitor = new Janitor({ ...parts, ledger: this.#ledger, episodes: this.#episodes });
  }

  /** Bytes. */
  get budget(): number {
    return this.#budget.maxSize;
  }

  /** Counts from now on; what is beyond it then is evicted. */
  renewBudget(budget: Budget): void {
    this.#budget = budget;
    this.keptChanged();
    void this.sweep();
  }

  /** Other things are to be kept than before: whether that is too much shows when room is needed next. */
  keptChanged(): void {
    this.#parts.troubles.over("kept");
  }

  /**
   * Reserves room for a fill of `key`, a blob of `size` bytes; undefined when there would be too little even if everything that may be
   * evicted were: then nothing is. All who ask for the same blob share its room. Never throws.
   */
  async reserve(key: PartialKey, size: number): Promise<Reservation | undefined> {
    if (!this.#parts.ownership.isOurs || !this.#isCounted) return undefined;
    const measured = await this.#measure();
    // No await from here to the reservation, so that nobody else is given the same bytes.
    const needed = this.#ledger.needed(key, size);
    const isShared = needed === 0 && !this.#ledger.isIdle(key);
    if (isShared || this.#lacking(needed, measured) <= 0) return this.#reservation(key, size);
    return await this.#inTurn(() => this.#evictFor(key, size), undefined);
  }

  /** Whether these blobs would all get room, as far as can be told now. Nothing is reserved, and nothing is evicted. Throws what Metadata throws. */
  async hasRoomFor(blobs: readonly (readonly [PartialKey, number])[]): Promise<boolean> {
    if (!this.#parts.ownership.isOurs || !this.#isCounted) return false;
    const measured = await this.#measure(true);
    const needed = blobs.reduce((sum, [key, size]) => sum + this.#ledger.needed(key, size), 0);
    const lacking = this.#lacking(needed, measured);
    if (lacking <= 0 || !Number.isFinite(lacking)) return lacking <= 0;
    const victims = await this.#janitor.next(lacking, measured.look.damaged);
    return victims.reduce((sum, { size }) => sum + size, 0) >= lacking;
  }

  /** The room of a fill that begins; it replaces what was reserved for the blob. */
  takeRoom(key: PartialKey, size: number): Room {
    return this.#ledger.room(key, size, () => this.trim());
  }

  /** Evicts what is over the budget, as much of it as can be evicted; false when the rest is still over it. Never throws. */
  trim(): Promise<boolean> {
    return this.#inTurn(() => this.#trim(), false);
  }

  /**
   * Brings what is stored back within the budget, looks at the partials on the disk, which others may have removed, and updates the gauges.
   * Runs in the background: logs, never throws.
   */
  async sweep(): Promise<void> {
    await this.trim();
    await this.#inTurn(() => this.#lookAtPartials(), undefined);
    await this.#inTurn(() => this.use(), undefined);
  }

  /** What would go next for `bytes`, in order. Throws what Metadata throws. */
  async next(bytes: number): Promise<Victim[]> {
    const { damaged } = await this.#measuring.look(true);
    return await this.#janitor.next(bytes, damaged);
  }

  /** The first few that would go, at most `count`, as they are now; nothing is written. Throws what Metadata throws. */
  async goNext(count: number): Promise<Victim[]> {
    return await goNext(this.#parts, await this.#measuring.look(), this.#ledger.idle(), count);
  }

  /** Evicts, coldest first, until `bytes` are freed or nothing is left that may go; returns what went. Never throws. */
  async evict(bytes: number): Promise<{ readonly bytes: number; readonly things: number }> {
    const { damaged } = await this.#measuring.look(true);
    const work = async () => {
      const freed = await this.#janitor.free(bytes, damaged, false);
      return { bytes: freed, things: this.#janitor.evictions };
    };
    return await this.#inTurn(work, { bytes: 0, things: 0 });
  }

  /** Removes these unless somebody reads or fills them; returns those that are gone. Never throws. */
  async remove(candidates: readonly Candidate[]): Promise<readonly Candidate[]> {
    return await this.#inTurn(() => this.#janitor.remove(candidates), []);
  }

  /** Partials that nobody has, as they were counted last. */
  idlePartials(): readonly IdlePartial[] {
    return this.#ledger.idle();
  }

  /** See `countPartials`. */
  get revision(): number {
    return this.#ledger.revision;
  }

  /** `saved` are all useful partials on the disk, listed after `revision` was read. */
  countPartials(saved: readonly SavedPartial[], revision: number): void {
    this.#ledger.correct(saved, revision);
  }

  /** Until the returned function is called nothing new is stored: more lies on the disk than was counted. */
  waitForCount(): () => void {
    this.#isCounted = false;
    return () => {
      this.#isCounted = true;
    };
  }

  /** Also brings the gauges up to date, and says whether there is room for anything new at all, when that has changed. */
  async use(): Promise<DiskUse> {
    const measured = await this.#measure();
    const balance = balanceOf(measured, this.#ledger);
    this.#judgeRoom(balance);
    const { metrics } = this.#parts;
    const budget = this.#budget;
    const free = balance.disk?.free ?? this.#measuring.lastFree;
    metrics.diskUsed.set(balance.used);
    metrics.diskBudget.set(budget.maxSize);
    metrics.diskFree.set(free);
    // A disk that does not tell is never short.
    metrics.diskMinFree.set(balance.disk === undefined ? 0 : minFreeOf(budget, balance.disk));
    return { used: balance.used, budget: budget.maxSize, free };
  }

  /** Reads what `balanceOf` needs. */
  async #measure(isFresh = false): Promise<Measured> {
    const { left } = this.#ledger;
    const [look, rows] = await Promise.all([this.#measuring.look(isFresh), this.#parts.metadata.sums()]);
    this.#parts.damage.lying(look.damaged);
    return { look, stored: rows.bytes, left };
  }

  /** Bytes that are missing for `bytes` more at this moment; see balance.ts. */
  #lacking(bytes: number, measured: Measured): number {
    return lackingFor(bytes, balanceOf(measured, this.#ledger), this.#budget);
  }

  async #inTurn<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await this.#turns.run("eviction", work);
    } catch (error) {
      this.#episodes.trouble("budget", { reason: messageOf(error) }, "keeping the disk budget failed");
      return otherwise;
    }
  }

  async #evictFor(key: PartialKey, size: number): Promise<Reservation | undefined> {
    const measured = await this.#measure(true);
    const needed = this.#ledger.needed(key, size);
    const lacking = this.#lacking(needed, measured);
    if (lacking === Number.POSITIVE_INFINITY) return await this.#refuse(needed);
    // Before anything is evicted: what becomes free is for this blob, and for nobody else.
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
    const measured = await this.#measure(true);
    const lacking = this.#lacking(0, measured);
    if (lacking <= 0) return true;
    return Number.isFinite(lacking) && (await this.#evict(lacking, measured, false));
  }

  /** Some file systems report freed bytes only seconds later: so our own sum counts too. */
  async #evict(lacking: number, { look }: Measured, isAllOrNothing: boolean): Promise<boolean> {
    const freed = await this.#janitor.free(lacking, look.damaged, isAllOrNothing);
    this.#judgeKept(freed < lacking);
    if (freed >= lacking) return true;
    const measured = await this.#measure(true);
    return this.#lacking(0, measured) <= 0;
  }

  #reservation(key: PartialKey, size: number): Reservation {
    const isShared = !this.#ledger.isIdle(key);
    return { isShared, release: this.#ledger.reserve(key, size) };
  }

  async #refuse(bytes: number): Promise<undefined> {
    const facts = { size: formatBytes(bytes), budget: formatBytes(this.#budget.maxSize) };
    this.#episodes.trouble("refused", facts, "no room for a blob: passing it through without keeping it");
    const measured = await this.#measure();
    this.#judgeRoom(balanceOf(measured, this.#ledger));
    return undefined;
  }

  /** Tells the operator when nothing new could be stored even if everything else were evicted. */
  #judgeRoom({ disk, used }: Balance): void {
    if (disk === undefined) return;
    const { troubles } = this.#parts;
    const trouble = noRoomAtAll(disk, used, this.#budget);
    if (trouble === undefined) troubles.over("room");
    else troubles.trouble("room", {}, trouble);
  }

  /** Tells the operator when what has to stay leaves no room for what clients pull. */
  #judgeKept(isShort: boolean): void {
    const { kept } = this.#janitor;
    if (!isShort || kept === 0) {
      this.keptChanged();
      return;
    }
    const [much, budget] = [kept, this.#budget.maxSize].map(formatBytes);
    const text = `What keep rules stand for, and tags that are held back, take ${much} of the budget of ${budget}: there is no room for all that clients pull, which is passed through without being stored. Keep less (granary keep lists the rules), or raise storage.maxSize.`;
    this.#parts.troubles.trouble("kept", {}, text);
  }

  async #lookAtPartials(): Promise<void> {
    const { revision } = this.#ledger;
    const saved = await this.#measuring.saved();
    if (saved === undefined) return;
    this.#ledger.correct(saved, revision);
    await this.#removeUseless(saved);
  }

  /**
   * Deletes partials without a byte, left by fills that got none, and those of blobs that another upstream has brought whole, which no fill
   * will resume.
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
