/**
 * Owns the limits of bandwidth: how many bytes of blobs may come from each upstream, and from all, in a second. Each limit is a bucket of
 * tokens. Requests pay before they are sent, and long bodies as they come; whoever cannot pay waits, the most urgent first. It never ends a
 * request, and knows nothing of hours or commands: others tell it the limits of now.
 */
import { Meter } from "../../bytes/meter.ts";
import type { Clock, Timer } from "../../observe/clock.ts";
import type { Allowance, WantedFor } from "../../origin.ts";
import { rankOf } from "../../purpose.ts";
import { abortedError, onAbort } from "../../waiting/abort.ts";

/** Bytes per second; infinite or absent where there is no limit. */
export type Limits = {
  readonly total?: number | undefined;
  readonly upstreams: ReadonlyMap<string, number>;
};

/** What may come at once after a pause. */
const BURST_MS = 250;

/** A balance may go below zero: whoever was let through pays for all of its request, and the next one waits until that is paid back. */
class Bucket {
  readonly bytesPerMs: number;
  #balance = 0;
  #at: number;

  constructor(bytesPerSecond: number, now: number) {
    this.bytesPerMs = bytesPerSecond / 1000;
    this.#at = now;
  }

  pay(bytes: number): void {
    this.#balance -= bytes;
  }

  /** Milliseconds until somebody may pass; 0 for now. */
  waitMs(now: number): number {
    this.#balance = Math.min(this.bytesPerMs * BURST_MS, this.#balance + (now - this.#at) * this.bytesPerMs);
    this.#at = now;
    return this.#balance >= 0 ? 0 : Math.ceil(-this.#balance / this.bytesPerMs);
  }

  /** The same debt under another limit. */
  carriedOver(bytesPerSecond: number, now: number): Bucket {
    const next = new Bucket(bytesPerSecond, now);
    next.#balance = Math.max(this.#balance, -bytesPerSecond);
    return next;
  }
}

/** Bytes, or how many with so many others waiting: that may have changed when it is somebody's turn. */
type Price = number | ((others: number) => number);

type Waiting = {
  readonly upstream: string;
  readonly price: Price;
  readonly wantedFor: WantedFor;
  readonly go: () => void;
};

export class Bandwidth {
  readonly #clock: Clock;
  readonly #meters = new Map<string, Meter>();
  #total: Bucket | undefined;
  #upstreams = new Map<string, Bucket>();
  #queue: Waiting[] = [];
  #next: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Other limits from now on, also for those that wait and for bodies that are being read. */
  renew({ total, upstreams }: Limits): void {
    const now = this.#clock.elapsed();
    const bucketOf = (old: Bucket | undefined, rate: number | undefined) => {
      if (rate === undefined || !Number.isFinite(rate)) return undefined;
      return old?.carriedOver(rate, now) ?? new Bucket(rate, now);
    };
    const before = this.#upstreams;
    this.#total = bucketOf(this.#total, total);
    this.#upstreams = new Map();
    for (const [name, rate] of upstreams) {
      const bucket = bucketOf(before.get(name), rate);
      if (bucket !== undefined) this.#upstreams.set(name, bucket);
    }
    this.#pump();
  }

  /** undefined while nothing limits this upstream. */
  allowance(upstream: string): Allowance | undefined {
    const buckets = this.#bucketsOf(upstream);
    if (buckets.length === 0) return undefined;
    const bytesPerMs = Math.min(...buckets.map((bucket) => bucket.bytesPerMs));
    return { bytesPerMs, waiting: this.#queue.length };
  }

  /** True while `wantedFor` waits for its turn here: that no bytes come for it shows nothing of the line. */
  holds(wantedFor: WantedFor): boolean {
    return this.#queue.some((waiting) => waiting.wantedFor === wantedFor);
  }

  /**
   * Pays `price`: undefined when that much may come now, else a promise of it. It rejects with `aborted` when `signal` ends the wait.
   */
  pay(upstream: string, price: Price, wantedFor: WantedFor, signal: AbortSignal): Promise<void> | undefined {
    if (this.#queue.length === 0 && this.#waitMs(upstream) === 0) {
      this.#take(upstream, priceOf(price, 0));
      return undefined;
    }
    return new Promise((resolve, reject) => {
      let stopListening: () => void = () => undefined;
      const waiting: Waiting = {
        ...{ upstream, price, wantedFor },
        go: () => {
          stopListening();
          resolve();
        },
      };
      this.#queue.push(waiting);
      stopListening = onAbort(signal, () => {
        this.#queue = this.#queue.filter((other) => other !== waiting);
        reject(abortedError(signal, "a request that waited for bandwidth"));
        this.#pump();
      });
      this.#pump();
    });
  }

  /** `bytes` that were paid for did not come. */
  giveBack(upstream: string, bytes: number): void {
    this.#take(upstream, -bytes);
    if (this.#queue.length > 0) this.#pump();
  }

  /** Notes bytes that came, for `flows`. */
  came(upstream: string, bytes: number): void {
    let meter = this.#meters.get(upstream);
    if (meter === undefined) {
      meter = new Meter();
      this.#meters.set(upstream, meter);
    }
    meter.add(bytes, this.#clock.elapsed());
  }

  /** Bytes per second that come from each upstream now; those from which nothing comes are left out. */
  flows(): ReadonlyMap<string, number> {
    const now = this.#clock.elapsed();
    const flows = [...this.#meters].map(([name, meter]) => [name, meter.perSecond(now)] as const);
    return new Map(flows.filter(([, rate]) => rate > 0));
  }

  #bucketsOf(upstream: string): Bucket[] {
    return [this.#total, this.#upstreams.get(upstream)].filter((bucket) => bucket !== undefined);
  }

  #waitMs(upstream: string): number {
    const now = this.#clock.elapsed();
    return Math.max(0, ...this.#bucketsOf(upstream).map((bucket) => bucket.waitMs(now)));
  }

  #take(upstream: string, bytes: number): void {
    for (const bucket of this.#bucketsOf(upstream)) bucket.pay(bytes);
  }

  /** Lets through whoever may pass now: the most urgent first, and of equals the one that has waited longest. */
  #pump(): void {
    this.#next?.cancel();
    this.#next = undefined;
    for (;;) {
      const open = this.#queue.filter(({ upstream }) => this.#waitMs(upstream) === 0);
      const ranks = open.map(({ wantedFor }) => rankOf(wantedFor.purpose));
      const first = open[ranks.indexOf(Math.min(...ranks))];
      if (first === undefined) break;
      this.#queue = this.#queue.filter((other) => other !== first);
      this.#take(first.upstream, priceOf(first.price, this.#queue.length));
      first.go();
    }
    if (this.#queue.length === 0) return;
    const ms = Math.min(...this.#queue.map(({ upstream }) => this.#waitMs(upstream)));
    this.#next = this.#clock.after(Math.max(1, ms), () => this.#pump());
  }
}

function priceOf(price: Price, others: number): number {
  return typeof price === "number" ? price : price(others);
}
