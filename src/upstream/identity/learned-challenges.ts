/**
 * Owns what earlier challenges said: which scheme, and which token server. Each repository has its own entry; one that has none yet begins
 * with the challenge that last led to an answer at the same origin. An entry that failed is forgotten, and the registry's next challenge
 * counts. Entries have no lifetime: a challenge is right until the registry sends another. It sends nothing.
 */
import { LRUCache } from "lru-cache";
import { mostEntries } from "../../waiting/expiry.ts";

export type Learned =
  | { readonly scheme: "basic" }
  | { readonly scheme: "bearer"; readonly realm: URL; readonly service: string | undefined };

/** What of a destination challenges depend on. */
type Challenger = {
  readonly url: URL;
  readonly repository: string;
  readonly isStranger: boolean;
};

export class LearnedChallenges {
  readonly #own = new LRUCache<string, Learned>(mostEntries(4096));
  /** By origin: the challenge whose authorization was last accepted there. */
  readonly #proven = new LRUCache<string, Learned>(mostEntries(256));
  /** By origin alone, for asking what a token would say. A refused request does not delete it. */
  readonly #last = new LRUCache<string, Learned>(mostEntries(256));

  /** The challenge to begin with at `destination`. */
  find(destination: Challenger): Learned | undefined {
    return this.#own.get(ownKey(destination)) ?? this.#proven.get(originKey(destination));
  }

  /** The token server that requests to the origin of `destination` were sent to, ours or anonymous ones; also after a refusal. */
  findBearer(destination: Challenger): Extract<Learned, { scheme: "bearer" }> | undefined {
    const known = this.find(destination) ?? this.#last.get(destination.url.origin);
    return known?.scheme === "bearer" ? known : undefined;
  }

  learn(destination: Challenger, learned: Learned): void {
    this.#own.set(ownKey(destination), learned);
    if (!this.#last.has(destination.url.origin)) this.#last.set(destination.url.origin, learned);
  }

  /** What was sent by `learned` was not refused. */
  proved(destination: Challenger, learned: Learned): void {
    this.#proven.set(originKey(destination), learned);
    this.#last.set(destination.url.origin, learned);
  }

  /** `learned` led to a refusal here. An entry of another challenge, which came since, is kept. */
  forget(destination: Challenger, learned: Learned): void {
    const own = this.#own.get(ownKey(destination));
    if (own !== undefined && isSame(own, learned)) this.#own.delete(ownKey(destination));
  }

  /** `learned` led to no token at all: no repository begins with it any more. */
  distrust(destination: Challenger, learned: Learned): void {
    this.forget(destination, learned);
    for (const [known, key] of [
      [this.#proven, originKey(destination)],
      [this.#last, destination.url.origin],
    ] as const) {
      const entry = known.get(key);
      if (entry !== undefined && isSame(entry, learned)) known.delete(key);
    }
  }
}

export function isSame(a: Learned, b: Learned): boolean {
  if (a.scheme === "basic" || b.scheme === "basic") return a.scheme === b.scheme;
  return a.realm.href === b.realm.href && a.service === b.service;
}

function ownKey(destination: Challenger): string {
  return `${originKey(destination)} ${destination.repository}`;
}

function originKey({ url, isStranger }: Challenger): string {
  return `${isStranger ? "stranger" : "ours"} ${url.origin}`;
}
