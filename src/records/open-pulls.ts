/**
 * Owns which requests are one Pull: those of one client for one repository that belong together, by what was announced to it, within a short
 * time. Where several pulls of one client are possible, the one that listed what is asked for. What is told and kept of them is pulls.ts's.
 */
import type { Clock } from "../observe/clock.ts";
import type { Digest } from "../oci/digest.ts";
import { type Agent, agentOf, mayBeSame } from "./agent.ts";
import { OpenPull, type PullKey } from "./pull.ts";

export type PullAsk = {
  readonly client: string;
  readonly userAgent: string | undefined;
  readonly upstream: string;
  readonly repository: string;
  readonly reference: { readonly tag: string } | { readonly digest: Digest };
  readonly kind: "manifest" | "blob";
};

/** Nothing came for so long: it is over, or the client has the rest already. */
const QUIET_MS = 60_000;
/** All was sent, or nothing could be: a client that copies all platforms asks for the next one within this. */
const SETTLE_MS = 3_000;
const MOST_OPEN = 1_000;

/** What becomes of the pulls that are found. */
export type PullKeeper = {
  /** It is more than a look. */
  begun(pull: OpenPull): void;
  ended(pull: OpenPull): void;
};

export class OpenPulls {
  readonly #clock: Clock;
  readonly #keeper: PullKeeper;
  readonly #open = new Map<string, OpenPull[]>();
  #count = 0;

  constructor(clock: Clock, keeper: PullKeeper) {
    this.#clock = clock;
    this.#keeper = keeper;
  }

  /** The pull that a request belongs to; its end is told by `left`. Undefined when too many run. */
  join(ask: PullAsk): OpenPull | undefined {
    const agent = agentOf(ask.userAgent);
    const key = keyOf(ask);
    const pull = bestOf(this.#open.get(key), ask, agent) ?? this.#make(key, { ...ask, agent });
    if (pull === undefined) return undefined;
    pull.requests += 1;
    if (ask.kind === "manifest") named(pull, ask);
    return pull;
  }

  /** It was answered with content that only a pull asks for. */
  confirm(pull: OpenPull): void {
    if (pull.id === undefined) this.#keeper.begun(pull);
  }

  left(pull: OpenPull): void {
    pull.requests -= 1;
    pull.last = this.#clock.elapsed();
    pull.lastAt = this.#clock.now();
  }

  /** Those that are more than a look. */
  get running(): readonly OpenPull[] {
    return [...this.#open.values()].flat().filter(({ id }) => id !== undefined);
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Ends what is over. To be called now and then; with `all` everything is over. */
  settle(all = false): void {
    const now = this.#clock.elapsed();
    for (const [key, pulls] of this.#open) {
      for (const pull of pulls) if (all || isOver(pull, now)) this.#end(key, pull);
    }
  }

  #make(key: string, of: PullKey): OpenPull | undefined {
    if (this.#count >= MOST_OPEN && !this.#dropIdle()) return undefined;
    const { client, agent, upstream, repository } = of;
    const now = { at: this.#clock.now(), elapsed: this.#clock.elapsed() };
    const pull = new OpenPull({ client, agent, upstream, repository }, now);
    this.#open.set(key, [...(this.#open.get(key) ?? []), pull]);
    this.#count += 1;
    return pull;
  }

  /** Room is made by the look that is oldest, which anybody can cause; without one by the pull that was quiet longest. */
  #dropIdle(): boolean {
    let idlest: { readonly key: string; readonly pull: OpenPull } | undefined;
    for (const [key, pulls] of this.#open) {
      for (const pull of pulls) {
        if (pull.requests > 0 || (idlest !== undefined && !isBefore(pull, idlest.pull))) continue;
        idlest = { key, pull };
        if (pull.id === undefined) break;
      }
      if (idlest !== undefined && idlest.pull.id === undefined) break;
    }
    if (idlest !== undefined) this.#end(idlest.key, idlest.pull);
    return idlest !== undefined;
  }

  #end(key: string, pull: OpenPull): void {
    const rest = (this.#open.get(key) ?? []).filter((other) => other !== pull);
    if (rest.length === 0) this.#open.delete(key);
    else this.#open.set(key, rest);
    this.#count -= 1;
    this.#keeper.ended(pull);
  }
}

function named(pull: OpenPull, { reference }: PullAsk): void {
  if ("tag" in reference) pull.tag = reference.tag;
  else pull.digest ??= reference.digest;
}

function isBefore(one: OpenPull, other: OpenPull): boolean {
  return one.id === undefined || one.last < other.last;
}

function isOver(pull: OpenPull, now: number): boolean {
  if (pull.requests > 0) return false;
  const quietMs = now - pull.last;
  const isSettled = pull.isComplete || (pull.id === undefined && pull.failure !== undefined);
  return quietMs >= (isSettled ? SETTLE_MS : QUIET_MS);
}

/** The newest of those that the request can belong to; one that expects it goes before all others. Each request asks this: it makes no lists. */
function bestOf(pulls: readonly OpenPull[] | undefined, ask: PullAsk, agent: Agent): OpenPull | undefined {
  let likeliest: OpenPull | undefined;
  for (let index = (pulls?.length ?? 0) - 1; index >= 0; index--) {
    const pull = pulls?.[index];
    if (pull === undefined || !mayBeSame(pull.key.agent, agent)) continue;
    if (expects(pull, ask)) return pull;
    likeliest ??= pull;
  }
  return ask.kind === "blob" ? likeliest : undefined;
}

function expects(pull: OpenPull, { kind, reference }: PullAsk): boolean {
  if ("tag" in reference) return pull.tag === reference.tag && !pull.isComplete;
  return kind === "manifest" ? pull.expects(reference.digest) : pull.lists(reference.digest);
}

function keyOf({ client, upstream, repository }: PullAsk): string {
  return `${client}\n${upstream}\n${repository}`;
}
