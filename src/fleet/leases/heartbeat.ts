/**
 * Owns whether this process may still act for its node: it tells the database each second that it lives, and knows by its own clock when the
 * others may begin to think otherwise. It knows no lease.
 */
import { isGranaryError, messageOf } from "../../errors.ts";
import type { Clock, Timer } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { Epoch, Member } from "../fleet.ts";
import type { HeardBeat, LeaseRows, NodeProcess, Tidying } from "./lease-rows.ts";
import { NameTrouble } from "./name-trouble.ts";

/** How much sooner than the database this process lets go: for a clock that runs slow, and for what is on its way. */
const MARGIN_MS = 500;

export type HeartbeatSettings = Pick<Member, "address" | "zone" | "version"> & {
  /** What the node says of itself for people to see; at most a few KiB. Asked at every beat. */
  readonly told: () => Member["told"];
  readonly beatMs: number;
  /** How long a beat counts at the database: several beats. */
  readonly lifetimeMs: number;
};

type HeartbeatParts = {
  readonly rows: LeaseRows;
  readonly clock: Clock;
  readonly log: Log;
  readonly process: NodeProcess;
  /** What the next beat is to clear away. */
  readonly tidying: () => Tidying | undefined;
  /** The greatest epoch that was seen. */
  readonly seen: () => Epoch;
  /** Called once whenever `isLive` turns false; all that was held is lost. `why` is a clause. */
  readonly onLost: (why: string) => void;
  /** Called after every beat that was answered. */
  readonly onBeat: (heard: HeardBeat) => void;
  /** Called when nobody knows whether the database has heard a beat. */
  readonly onUnheard: () => void;
};

type Moment = { readonly elapsed: number; readonly date: number };
type Asked = Moment & { readonly isRenewal: boolean; readonly term: number };

export class Heartbeat {
  readonly #settings: HeartbeatSettings;
  readonly #parts: HeartbeatParts;
  readonly #name: NameTrouble;
  /** When the last beat that was heard was asked; undefined before the first one, and once all was lost. */
  #since: Moment | undefined;
  #isIn = false;
  #term = 0;
  #underWay = 0;
  #isStopped = false;
  #next: Timer | undefined;
  #end: Timer | undefined;

  constructor(settings: HeartbeatSettings, parts: HeartbeatParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#name = new NameTrouble(parts.process.node, settings, parts);
  }

  /**
   * Whether what this process holds is still its own, at this very moment. Looks at the clock: a timer comes late in a process that was
   * stopped for a while.
   */
  get isLive(): boolean {
    if (!this.#isIn) return false;
    if (this.#isFresh()) return true;
    this.#lose("the database had not confirmed its heartbeat in time");
    return false;
  }

  /** Counts up when all is lost: what was asked for in an earlier term is not to be believed. */
  get term(): number {
    return this.#term;
  }

  /** Throws `fleet-unavailable` with what to do when another node has had the name for longer than one that died would. */
  throwIfNameTaken(): void {
    this.#name.throwIfTaken();
  }

  /** The first beat, then one every `beatMs`, whether or not the last one was answered. Never rejects. */
  async start(): Promise<void> {
    this.#schedule();
    await this.tick();
  }

  async #beat(): Promise<void> {
    const { rows, process, tidying } = this.#parts;
    const { address, zone, version, told, lifetimeMs } = this.#settings;
    const asked = { ...this.#moment(), isRenewal: this.#isIn, term: this.#term };
    const { isRenewal } = asked;
    const about = { address, zone, version, told: told(), lifetimeMs, isRenewal, tidying: tidying() };
    this.#underWay += 1;
    try {
      const heard = await rows.beat({ ...process, ...about });
      await this.#hear(asked, heard);
    } finally {
      this.#underWay -= 1;
    }
  }

  /** No beat any more; all is lost. */
  stop(): void {
    this.#isStopped = true;
    this.#next?.cancel();
    this.#lose("this node is stopping");
  }

  #schedule(): void {
    this.#next = this.#parts.clock.after(this.#settings.beatMs, () => {
      this.#schedule();
      void this.tick();
    });
  }

  /** One beat now, unless too many are unanswered. Never rejects. */
  async tick(): Promise<void> {
    // Called for its second effect: whoever waits for `lost` hears it even if the other timer is late.
    void this.isLive;
    // One that hangs on a dead connection must not keep the next one from being heard on another.
    if (this.#underWay > this.#settings.lifetimeMs / this.#settings.beatMs) return;
    await this.#beat().catch((error: unknown) => {
      const { log, onUnheard } = this.#parts;
      onUnheard();
      // The connection tells people of an outage, once.
      if (isGranaryError(error, "fleet-unavailable")) log.debug({ error: error.message }, "no heartbeat");
      else log.error({ error: messageOf(error) }, "the heartbeat of this node failed");
    });
  }

  async #hear(asked: Asked, heard: HeardBeat): Promise<void> {
    if (this.#isStopped) return;
    // What is known of an earlier term keeps nothing of this one alive, and ends nothing.
    const isOld = asked.isRenewal && asked.term !== this.#term;
    if (!isOld) await this.#judge(asked, heard);
    this.#parts.onBeat(heard);
  }

  async #judge(asked: Asked, { was }: HeardBeat): Promise<void> {
    if (was === "taken") {
      this.#lose("another process has this node's name");
      this.#name.taken();
      return;
    }
    this.#name.over();
    if (was === "gone") this.#lose("the database knew nothing of it any more");
    if (was === "gone" && asked.isRenewal) {
      void this.tick(); // Nothing was written.
      return;
    }
    if (this.#since === undefined || asked.elapsed > this.#since.elapsed) this.#since = asked;
    if (!this.#isIn && this.#isFresh()) await this.#join();
    if (this.isLive) this.#watch();
  }

  /** What the database gives from here on is newer than all that was given, even if this is a copy of yesterday's. */
  async #join(): Promise<void> {
    const term = this.#term;
    await this.#parts.rows.raiseEpochs(this.#parts.seen());
    await this.#parts.rows.clearOld();
    if (term === this.#term && !this.#isStopped && this.#isFresh()) this.#isIn = true;
  }

  /** All is lost at the deadline, without another look at anything. */
  #watch(): void {
    this.#end?.cancel();
    const leftMs = this.#lastsMs - this.#passedMs();
    this.#end = this.#parts.clock.after(leftMs, () => {
      if (this.isLive) this.#watch();
    });
  }

  #lose(why: string): void {
    this.#end?.cancel();
    this.#since = undefined;
    this.#term += 1;
    if (!this.#isIn) return;
    this.#isIn = false;
    this.#parts.onLost(why);
  }

  get #lastsMs(): number {
    return this.#settings.lifetimeMs - MARGIN_MS;
  }

  #isFresh(): boolean {
    return this.#passedMs() < this.#lastsMs;
  }

  /**
   * Since the last beat that was heard was asked. A machine that sleeps stops the clock that never goes back, but not the date; a date
   * that is set ahead ends the leases too soon, which costs no more than a takeover.
   */
  #passedMs(): number {
    const now = this.#moment();
    if (this.#since === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(now.elapsed - this.#since.elapsed, now.date - this.#since.date);
  }

  #moment(): Moment {
    return { elapsed: this.#parts.clock.elapsed(), date: this.#parts.clock.now() };
  }
}
