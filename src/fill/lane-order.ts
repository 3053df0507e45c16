/**
 * Owns who may use the line when it cannot bring everything at once: what is fetched in advance (prefetch, warm) gives way while bytes come
 * for clients, and goes on when none have come for a moment. All fills of a process share the line, whichever host they fetch from. It starts
 * no lane and ends none: it tells the fills, which do. Clients' fills never wait for each other here; they share by their lanes.
 */
import { formatDuration } from "../bytes/units.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import type { Log } from "../observe/log.ts";
import { isBackground, type Purpose, rankOf } from "../purpose.ts";

/** What brings bytes: the lanes of one fill, or a body that is passed through. */
export interface LineUser {
  /** Name of the upstream that it fetches from. */
  readonly upstream: string;
  /** What its bytes are wanted for at this moment. */
  readonly purpose: Purpose;
  /** Of the clock's `elapsed`: when it last asked for bytes or got some on a connection that is open; undefined while it has none. */
  readonly aliveAt: number | undefined;
  /** More urgent bytes need the line: it ends its connections, and begins none until `resume`. */
  yield(): void;
  resume(): void;
}

/**
 * A client's transfer that got nothing for so long is not served by its upstream, and needs no line. F17 speaks of the same time.
 */
const ALIVE_MS = 5_000;
/** How long the line stays reserved after the last bytes for a client: between two layers a client is quiet for a moment. */
const QUIET_MS = 1_000;
/** How often we look while somebody is held. */
const LOOK_MS = 250;
/** What is held for longer than this is told in the log: it may last for hours where clients use the line all day. */
const TOLD_MS = 60_000;

export class LaneOrder {
  readonly #clock: Clock;
  readonly #log: Log;
  /** True for an upstream that a person has set offline. */
  readonly #isOffline: (upstream: string) => boolean;
  readonly #users = new Set<LineUser>();
  /** Since when each user is held, of the clock's `elapsed`. */
  readonly #held = new Map<LineUser, number>();
  /** By rank of the purpose: until when the line is reserved for it. */
  readonly #reservedUntil: number[] = [];
  #lookedAt = Number.NEGATIVE_INFINITY;
  #isLooking = false;
  #next: Timer | undefined;
  #toldSince: number | undefined;

  constructor(clock: Clock, log: Log, isOffline: (upstream: string) => boolean = () => false) {
    this.#clock = clock;
    this.#log = log;
    this.#isOffline = isOffline;
  }

  /** `user` brings bytes from now on, until the returned function is called. */
  join(user: LineUser): () => void {
    this.#users.add(user);
    return () => {
      this.#users.delete(user);
      this.#held.delete(user);
      if (this.#users.size === 0) this.#rest();
    };
  }

  /** A user has begun to fetch, its purpose has changed, or an upstream is offline or not any more. */
  changed(): void {
    this.#look();
  }

  /** False while `user` has to leave the line to more urgent ones; it hears of the end of that by `resume`. */
  mayRun(user: LineUser): boolean {
    if (!isBackground(user.purpose)) return true;
    const now = this.#clock.elapsed();
    if (now - this.#lookedAt >= LOOK_MS) this.#look();
    if (!this.#mustWait(user)) {
      this.#held.delete(user);
      return true;
    }
    this.#hold(user, now);
    this.#lookLater();
    return false;
  }

  /** Since when `user` is held, of the clock's `elapsed`; undefined while it is not. */
  heldSince(user: LineUser): number | undefined {
    return this.#held.get(user);
  }

  /** Reserves the line for those who use it, and tells everybody for whom that changes something. */
  #look(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const now = this.#clock.elapsed();
    this.#lookedAt = now;
    for (const { aliveAt, purpose } of this.#users)
      if (aliveAt !== undefined && now - aliveAt < ALIVE_MS)
        this.#reservedUntil[rankOf(purpose)] = now + QUIET_MS;
    for (const user of this.#users) this.#tell(user, now);
    this.#isLooking = false;
    this.#tellLog(now);
    this.#lookLater();
  }

  #lookLater(): void {
    if (this.#held.size === 0) return;
    this.#next ??= this.#clock.after(LOOK_MS, () => {
      this.#next = undefined;
      this.#look();
    });
  }

  #tell(user: LineUser, now: number): void {
    if (this.#mustWait(user)) this.#hold(user, now);
    else if (this.#held.delete(user)) user.resume();
  }

  #hold(user: LineUser, now: number): void {
    if (this.#held.has(user)) return;
    this.#held.set(user, now);
    user.yield();
  }

  /** Nobody waits for what is fetched in advance: it is kept however long its upstream is offline. Clients hear of that at once. */
  #mustWait({ upstream, purpose }: LineUser): boolean {
    if (!isBackground(purpose)) return false;
    if (this.#isOffline(upstream)) return true;
    const now = this.#clock.elapsed();
    return this.#reservedUntil.slice(0, rankOf(purpose)).some((until) => until > now);
  }

  #tellLog(now: number): void {
    const since = Math.min(...this.#held.values());
    const isLong = now - since >= TOLD_MS;
    if (isLong && this.#toldSince === undefined) {
      this.#toldSince = since;
      const facts = { fills: this.#held.size };
      this.#log.info(facts, "what is fetched in advance waits: clients need the line, and go first");
    } else if (!isLong && this.#toldSince !== undefined) {
      const facts = { waited: formatDuration(now - this.#toldSince) };
      this.#toldSince = undefined;
      this.#log.info(facts, "what is fetched in advance goes on");
    }
  }

  #rest(): void {
    this.#next?.cancel();
    this.#next = undefined;
    this.#toldSince = undefined;
  }
}
