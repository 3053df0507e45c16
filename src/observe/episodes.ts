/**
 * Owns how trouble that repeats is logged: one line when an episode begins and one when it is over, however often the same
 * thing fails in between (those are debug lines). It must never decide what counts as the same trouble: the key does.
 */
import type { Clock, Timer } from "./clock.ts";
import type { Log } from "./log.ts";

/** Trouble is over when it has not come back for this long. */
const QUIET_MS = 10_000;

const NO_TIMER: Timer = { cancel: () => undefined };

/** What goes into the line. */
type TroubleFacts = Readonly<Record<string, unknown>>;

type Episode = {
  readonly begunAt: number;
  message: string;
  count: number;
  lastAt: number;
  timer: Timer;
};

/** `Key`: the keys that there are, where they are a closed set. */
export class Episodes<Key extends string = string> {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #quietMs: number;
  readonly #running = new Map<Key, Episode>();

  /** `quietMs` Infinity: an episode ends only with `over`. */
  constructor(log: Log, clock: Clock, quietMs = QUIET_MS) {
    this.#log = log;
    this.#clock = clock;
    this.#quietMs = quietMs;
  }

  /**
   * Something failed. `key` names the trouble ("a lane docker.io upstream-unavailable") and must come from a bounded set; `facts` and `message`
   * are those of this failure. Logs a warning when no episode of `key` runs.
   */
  trouble(key: Key, facts: TroubleFacts, message: string): void {
    const now = this.#clock.elapsed();
    const running = this.#running.get(key);
    if (running !== undefined) {
      running.count += 1;
      running.message = message;
      running.lastAt = now;
      this.#log.debug(facts, message);
      return;
    }
    this.#log.warn(facts, message);
    const isTimed = Number.isFinite(this.#quietMs);
    const timer = isTimed ? this.#clock.after(this.#quietMs, () => this.#look(key)) : NO_TIMER;
    this.#running.set(key, { begunAt: now, message, count: 1, lastAt: now, timer });
  }

  /** The latest message of each running episode: what a person has to do may have changed since it began. */
  get current(): readonly string[] {
    return [...this.#running.values()].map(({ message }) => message);
  }

  /** The keys of the running episodes. */
  get keys(): readonly Key[] {
    return [...this.#running.keys()];
  }

  /** To be called when the trouble is known to be over. Logs that if an episode of `key` runs. */
  over(key: Key): void {
    const episode = this.#running.get(key);
    if (episode === undefined) return;
    episode.timer.cancel();
    this.#running.delete(key);
    const { begunAt, lastAt, count } = episode;
    this.#log.info({ trouble: key, times: count, ms: lastAt - begunAt }, "this trouble is over");
  }

  #look(key: Key): void {
    const episode = this.#running.get(key);
    if (episode === undefined) return;
    const leftMs = episode.lastAt + this.#quietMs - this.#clock.elapsed();
    if (leftMs <= 0) this.over(key);
    else episode.timer = this.#clock.after(leftMs, () => this.#look(key));
  }
}
