/**
 * Owns what a node tells of itself with its heartbeats, and how that is read where it comes from others: numbers, or nothing. It must cost the node
 * nothing that anybody notices.
 */
import { messageOf } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { Member } from "../fleet.ts";
import type { NodeState } from "./fleet-view.ts";

/** What a node knows of itself, each at no cost. Sizes are bytes. */
export type NodeFacts = {
  /** Transfers that run. */
  fills(): number;
  /** Whole blobs on its disk. */
  stored(): Promise<number>;
  budget(): number;
  /** All that its clients were ever sent. */
  served(): number;
  unshared(): number;
};

const EVERY_MS = 3_000;
const FIELDS = ["fills", "stored", "budget", "served", "unshared"] as const;

export class OwnState {
  readonly #facts: NodeFacts;
  readonly #clock: Clock;
  readonly #log: Log;
  #told: Partial<NodeState> = {};
  #isLooking = false;
  /** `at` is of the clock's `elapsed`. */
  #before: { readonly at: number; readonly served: number } | undefined;

  constructor(facts: NodeFacts, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#facts = facts;
    this.#clock = clock;
    this.#log = log;
  }

  /** What it told last; it is looked at again behind that, once in three seconds. */
  get told(): Member["told"] {
    const age = this.#clock.elapsed() - (this.#before?.at ?? Number.NEGATIVE_INFINITY);
    if (!this.#isLooking && age >= EVERY_MS) void this.#look();
    return this.#told;
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    try {
      const stored = await this.#facts.stored();
      const { fills, budget, unshared } = this.#facts;
      this.#told = { fills: fills(), stored, budget: budget(), served: this.#rate(), unshared: unshared() };
    } catch (error) {
      this.#log.debug({ reason: messageOf(error) }, "this node cannot tell its fleet how it is");
    }
    this.#isLooking = false;
  }

  #rate(): number {
    const now = { at: this.#clock.elapsed(), served: this.#facts.served() };
    const { at, served } = this.#before ?? now;
    this.#before = now;
    return now.at > at ? Math.max(0, Math.round(((now.served - served) * 1000) / (now.at - at))) : 0;
  }
}

/** What can be believed of what another node tells of itself. */
export function stateOf(told: Member["told"]): Partial<NodeState> {
  return Object.fromEntries(
    FIELDS.flatMap((field) => {
      const value = told[field];
      return typeof value === "number" && Number.isFinite(value) && value >= 0 ? [[field, value]] : [];
    }),
  );
}
