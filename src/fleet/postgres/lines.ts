/**
 * Owns who uses which connection: a few lines, each lent to one user at a time, and a deadline for every question on them. A line whose
 * deadline has passed, or that broke, is destroyed; nobody gets it again. It judges no answer.
 */
import { GranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import type { FleetQuery } from "./fleet-database.ts";
import type { Dial, Line } from "./line.ts";
import { awayError, isAway } from "./postgres-error.ts";

export type LinesOptions = {
  readonly dial: Dial;
  readonly clock: Clock;
  /** What messages call the server. */
  readonly host: string;
  /** Lines at once. */
  readonly most: number;
  /** The longest wait for a line and, on its own, for an answer. Milliseconds. */
  readonly patienceMs: number;
  /** A question failed because the database is away. */
  readonly onAway: (error: GranaryError) => void;
};

type Waiting = { readonly take: (line: Line) => void; readonly refuse: (error: GranaryError) => void };

/** What is done with a borrowed line. */
export type LineWork<T> = (query: FleetQuery) => Promise<T>;

export class Lines {
  readonly #options: LinesOptions;
  readonly #all = new Set<Line>();
  /** The one that was used last is taken first. */
  readonly #idle: Line[] = [];
  readonly #waiting = new Set<Waiting>();
  #isClosed = false;

  constructor(options: LinesOptions) {
    this.#options = options;
  }

  /** Lends a line to `work`. Throws what `work` throws. */
  use<T>(work: LineWork<T>): Promise<T> {
    return this.lend((asking) => work(asking(this.#options.patienceMs)));
  }

  /** Lends a line to `work`, which says how many milliseconds an answer may take. Throws what `work` throws. */
  async lend<T>(work: (asking: (patienceMs: number) => FleetQuery) => Promise<T>): Promise<T> {
    const line = await this.#take();
    try {
      return await work((patienceMs) => (text, values = []) => {
        return this.#asked(line, line.ask(text, values), patienceMs);
      });
    } catch (error) {
      if (isAway(error)) line.destroy();
      throw error;
    } finally {
      this.#giveBack(line);
    }
  }

  /** After a failure: lines that lie idle are probably as dead as the one that failed, and whoever waits for one hears `error`. */
  dropIdle(error: GranaryError): void {
    for (const line of this.#idle.splice(0)) this.#drop(line);
    for (const waiting of this.#takeWaiting()) waiting.refuse(error);
  }

  /** What runs may end within a second. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const waiting of this.#takeWaiting()) waiting.refuse(closedError());
    await Promise.all([...this.#all].map((line) => line.end()));
  }

  async #asked<T>(line: Line, answer: Promise<T>, patienceMs: number): Promise<T> {
    const { clock, host } = this.#options;
    const passed = Promise.withResolvers<never>();
    const timer = clock.after(patienceMs, () => {
      passed.reject(awayError(host, `no answer within ${patienceMs} ms`));
      line.destroy();
    });
    answer.catch(() => undefined); // Rejected by the end of the line; the deadline has been told.
    try {
      return await Promise.race([passed.promise, answer]);
    } catch (error) {
      if (isAway(error) && !this.#isClosed) this.#options.onAway(error);
      throw this.#isClosed ? closedError() : error;
    } finally {
      timer.cancel();
    }
  }

  #take(): Promise<Line> | Line {
    if (this.#isClosed) throw closedError();
    for (let line = this.#idle.pop(); line !== undefined; line = this.#idle.pop()) {
      if (!line.isClosed) return line;
      this.#drop(line);
    }
    return this.#all.size < this.#options.most ? this.#dialled() : this.#nextFree();
  }

  #dialled(): Line {
    const line = this.#options.dial();
    this.#all.add(line);
    return line;
  }

  #nextFree(): Promise<Line> {
    const { clock, host, patienceMs } = this.#options;
    const turn = Promise.withResolvers<Line>();
    const waiting = { take: turn.resolve, refuse: turn.reject };
    this.#waiting.add(waiting);
    const timer = clock.after(patienceMs, () => {
      this.#waiting.delete(waiting);
      turn.reject(awayError(host, "all connections to it are in use", { isUnreachable: false }));
    });
    return turn.promise.finally(() => timer.cancel());
  }

  #giveBack(line: Line): void {
    if (line.isClosed || this.#isClosed) this.#drop(line);
    const [next] = this.#waiting;
    if (next === undefined) {
      if (this.#all.has(line)) this.#idle.push(line);
      return;
    }
    this.#waiting.delete(next);
    next.take(this.#all.has(line) ? line : this.#dialled());
  }

  #drop(line: Line): void {
    this.#all.delete(line);
    line.destroy();
  }

  #takeWaiting(): Waiting[] {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    return waiting;
  }
}

export function closedError(): GranaryError {
  return new GranaryError("closed", "The fleet's database was closed.");
}
