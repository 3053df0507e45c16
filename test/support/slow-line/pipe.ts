/**
 * Owns one direction of one connection: bytes wait for the line's rate, travel for its delay, and arrive in order. It holds a
 * bounded number of them and pauses its source beyond that; it knows no settings, only what it is given.
 */
import type { Socket } from "node:net";
import type { Bottleneck, Sender } from "./bottleneck.ts";
import type { Pace } from "./pace.ts";

export type PipeOptions = {
  readonly from: Socket;
  readonly to: Socket;
  readonly bottleneck: Bottleneck;
  /** This direction's own rate. */
  readonly pace: Pace;
  /** Milliseconds from one end to the other. */
  readonly travelMs: () => number;
  /** Nothing is under way before: the connection is still being made. */
  readonly opensAt: number;
  /** It carries so many bytes and no more. */
  readonly limit: number;
  readonly carried: (bytes: number) => void;
  /** All of `limit` has arrived. */
  readonly spent: () => void;
  /** The source is over, and all that came from it has arrived. */
  readonly ended: () => void;
};

/** Read ahead, so that a late turn of the event loop finds what it owes: half a second's worth, within bounds. */
const AHEAD_SECONDS = 0.5;
const LEAST_AHEAD = 64 * 1024;
const MOST_AHEAD = 1024 * 1024;
/** Under way at most, as a receiver's window has it. */
const WINDOW = 1024 * 1024;

type Travelling = { readonly bytes: Buffer; readonly dueAt: number };

export class Pipe implements Sender {
  readonly #options: PipeOptions;
  readonly #queue: Buffer[] = [];
  readonly #travelling: Travelling[] = [];
  #queued = 0;
  #underWay = 0;
  #admitted = 0;
  #delivered = 0;
  #isOver = false;
  #isClosed = false;
  #isBlocked = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PipeOptions) {
    this.#options = options;
    const { from, to } = options;
    from.on("data", (bytes: Buffer) => this.#take(bytes));
    from.on("end", () => this.sourceOver());
    from.on("close", () => this.sourceOver());
    to.on("drain", () => {
      this.#isBlocked = false;
      this.#deliver();
    });
  }

  get isIdle(): boolean {
    return this.#isClosed || this.#sendable() === 0;
  }

  wake(now: number): void {
    this.#options.pace.idled(now);
  }

  ready(now: number): number {
    return Math.min(this.#sendable(), this.#options.pace.allowance(now));
  }

  send(bytes: number, now: number): void {
    const { pace, travelMs, opensAt, from } = this.#options;
    pace.spend(bytes);
    this.#admitted += bytes;
    this.#underWay += bytes;
    const dueAt = Math.max(now, opensAt) + travelMs();
    for (const part of this.#shift(bytes)) this.#travelling.push({ bytes: part, dueAt });
    if (this.#queued < this.#ahead() / 2 && from.isPaused()) from.resume();
    this.#deliver();
  }

  /** Nothing more comes from the source. */
  sourceOver(): void {
    this.#isOver = true;
    this.#deliver();
  }

  /** Goes on after a standstill of the line. */
  nudge(): void {
    this.#deliver();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#options.bottleneck.leave(this);
    this.#queue.length = 0;
    this.#travelling.length = 0;
  }

  #take(bytes: Buffer): void {
    if (this.#isClosed) return;
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    if (this.#queued >= this.#ahead()) this.#options.from.pause();
    this.#offer();
  }

  #offer(): void {
    if (!this.isIdle) this.#options.bottleneck.offer(this);
  }

  #sendable(): number {
    return Math.min(this.#queued, WINDOW - this.#underWay, this.#options.limit - this.#admitted);
  }

  #ahead(): number {
    const rate = this.#options.pace.rate ?? Number.POSITIVE_INFINITY;
    return Math.min(MOST_AHEAD, Math.max(LEAST_AHEAD, rate * AHEAD_SECONDS));
  }

  #shift(bytes: number): Buffer[] {
    const parts: Buffer[] = [];
    let wanted = bytes;
    while (wanted > 0) {
      const first = this.#queue.shift();
      if (first === undefined) break;
      const part = first.subarray(0, wanted);
      if (part.length < first.length) this.#queue.unshift(first.subarray(part.length));
      parts.push(part);
      wanted -= part.length;
    }
    this.#queued -= bytes - wanted;
    return parts;
  }

  #deliver(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed || this.#isBlocked || this.#options.bottleneck.isFrozen) return;
    const now = performance.now();
    while (!this.#isBlocked) {
      const [first] = this.#travelling;
      if (first === undefined) {
        this.#arrived();
        return;
      }
      if (first.dueAt > now) {
        this.#timer = setTimeout(() => this.#deliver(), first.dueAt - now);
        return;
      }
      this.#travelling.shift();
      this.#write(first.bytes);
    }
  }

  #write(bytes: Buffer): void {
    const { to, carried, limit, spent } = this.#options;
    this.#underWay -= bytes.length;
    this.#delivered += bytes.length;
    const isLast = this.#delivered >= limit;
    this.#isBlocked = !to.write(bytes, () => {
      if (isLast) spent();
    });
    carried(bytes.length);
    this.#offer();
  }

  #arrived(): void {
    const isAll = this.#queued === 0 && this.#underWay === 0 && this.#delivered < this.#options.limit;
    if (this.#isOver && isAll) this.#options.ended();
  }
}
