/**
 * Owns what is said when two running nodes have one name: once, and only when it cannot be the process before, which died a moment ago.
 */
import { GranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";

type Times = { readonly beatMs: number; readonly lifetimeMs: number };

export class NameTrouble {
  readonly #node: string;
  readonly #times: Times;
  readonly #parts: { readonly clock: Clock; readonly log: Log };
  /** When it was first heard, of the clock's `elapsed`. */
  #since: number | undefined;
  #isTold = false;

  constructor(node: string, times: Times, parts: { readonly clock: Clock; readonly log: Log }) {
    this.#node = node;
    this.#times = times;
    this.#parts = parts;
  }

  /** The database says that another living process has the name. */
  taken(): void {
    this.#since ??= this.#parts.clock.elapsed();
    if (this.#isTold || !this.#isLasting()) return;
    this.#isTold = true;
    this.#parts.log.error({ node: this.#node }, this.#sentence);
  }

  /** The name is ours. */
  over(): void {
    if (this.#isTold) this.#parts.log.info({ node: this.#node }, "no other node has this node's name now");
    this.#since = undefined;
    this.#isTold = false;
  }

  /** Throws `fleet-unavailable` with what to do, once it is certain. */
  throwIfTaken(): void {
    if (this.#isLasting())
      throw new GranaryError("fleet-unavailable", this.#sentence, { saysWhatToDo: true });
  }

  /** A process that died is no longer taken for a living one after the lifetime of its last beat. */
  #isLasting(): boolean {
    if (this.#since === undefined) return false;
    return this.#parts.clock.elapsed() - this.#since > this.#times.lifetimeMs + this.#times.beatMs;
  }

  get #sentence(): string {
    return (
      `Another running node of this fleet has the name ${this.#node} too: give each node a name of its own (fleet.node). ` +
      "Until then this one brings nothing for the fleet."
    );
  }
}
