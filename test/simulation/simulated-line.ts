/**
 * Owns the line of the simulation, on the fake clock: a rate in all and one per connection, a delay each way, connections that are
 * cut, and a limit of them. It carries nothing itself: it says when bytes arrive, and keeps an account.
 */
import { GranaryError } from "../../src/errors.ts";
import type { FakeClock } from "../support/fake-clock.ts";

export type LineSettings = {
  /** Bytes per millisecond of all connections together, and of each. */
  rate: number;
  ratePerConnection: number;
  /** Milliseconds from one end to the other. */
  delayMs: number;
  /** Bytes after which a connection is cut. */
  cutAfter: number;
  /** Connections at once; further ones are refused. */
  most: number;
  /** Nothing gets through: connections are cut and refused. */
  isAway: boolean;
};

/** Everything gets through at once. */
export const OPEN_LINE: Readonly<LineSettings> = {
  rate: Number.POSITIVE_INFINITY,
  ratePerConnection: Number.POSITIVE_INFINITY,
  delayMs: 0,
  cutAfter: Number.POSITIVE_INFINITY,
  most: Number.POSITIVE_INFINITY,
  isAway: false,
};

/** One TCP connection: used again for the next request when a body was read to its end. */
export type Connection = { freeAt: number; carried: number; isOpen: boolean };

export class SimulatedLine {
  readonly settings: LineSettings;
  readonly #clock: FakeClock;
  #freeAt = 0;
  #idle: Connection[] = [];
  /** Open connections, idle ones included. */
  open = 0;
  /** Connections that were made. */
  opened = 0;
  refused = 0;
  carried = 0;
  /** When the last bytes arrived. */
  lastAt = 0;

  constructor(clock: FakeClock, settings: Partial<LineSettings> = {}) {
    this.#clock = clock;
    this.settings = { ...OPEN_LINE, ...settings };
  }

  /** What comes at once: about what 20 ms bring. */
  get chunkBytes(): number {
    const { rate, ratePerConnection } = this.settings;
    return Math.max(512, Math.floor(Math.min(rate, ratePerConnection, 1e9) * 20));
  }

  /** An idle connection, or a new one; `waitMs` is what it takes. Throws when the line gives none. */
  connect(): { readonly connection: Connection; readonly waitMs: number } {
    const { delayMs, most, isAway } = this.settings;
    if (isAway) this.#dropIdle();
    const idle = this.#idle.pop();
    if (idle !== undefined) return { connection: idle, waitMs: 0 };
    if (isAway || this.open >= most) {
      this.refused += 1;
      throw new GranaryError("upstream-unavailable", "simulated: the connection was refused", {
        isUnreachable: true,
      });
    }
    this.open += 1;
    this.opened += 1;
    return { connection: { freeAt: 0, carried: 0, isOpen: true }, waitMs: 2 * delayMs };
  }

  /** Milliseconds until `bytes` more have come over `connection`. Throws when it is cut before. */
  carry(connection: Connection, bytes: number): number {
    const { rate, ratePerConnection, delayMs, cutAfter, isAway } = this.settings;
    connection.carried += bytes;
    if (isAway || connection.carried > cutAfter)
      throw new GranaryError("upstream-unavailable", "simulated: the line was cut");
    const now = this.#clock.elapsed();
    // What was sent before goes first; the delay is the last byte's.
    this.#freeAt = Math.max(now - delayMs, this.#freeAt) + bytes / rate;
    connection.freeAt = Math.max(now - delayMs, connection.freeAt) + bytes / ratePerConnection;
    this.carried += bytes;
    this.lastAt = Math.max(this.#freeAt, connection.freeAt) + delayMs;
    return this.lastAt - now;
  }

  /** Nothing comes over any connection for `ms`; then it goes on. */
  standStill(ms: number): void {
    this.#freeAt = Math.max(this.#clock.elapsed(), this.#freeAt) + ms;
  }

  /** The connection is used no more for now; `isWhole`: its last answer was read to the end. */
  release(connection: Connection, isWhole: boolean): void {
    if (!connection.isOpen) return;
    if (isWhole && !this.settings.isAway) {
      this.#idle.push(connection);
      return;
    }
    connection.isOpen = false;
    this.open -= 1;
  }

  #dropIdle(): void {
    this.open -= this.#idle.length;
    this.#idle = [];
  }
}
