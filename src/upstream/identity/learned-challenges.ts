/**
 * Owns what challenges have taught: which scheme, which token server. Each repository has its own; one that has none yet begins with what
 * opened a door at the same origin last. Nothing here is kept against a failure: whoever fails with it forgets it, and the registry's next
 * challenge counts. It sends nothing.
 */
import { LRUCache } from "lru-cache";

export type Learned =
  | { readonly scheme: "basic" }
  | { readonly scheme: "bearer"; readonly realm: URL; readonly service: string | undefined };

/** Of a place, what challenges depend on. */
type Challenger = {
  readonly url: URL;
  readonly repository: string;
  readonly isStranger: boolean;
};

export class LearnedChallenges {
  readonly #own = new LRUCache<string, Learned>({ max: 4096 });
  /** By origin: what was last seen to open something there. */
  readonly #proven = new LRUCache<string, Learned>({ max: 256 });
  /** By origin alone, for asking what a token would say; a refused request does not make it forgotten. */
  readonly #last = new LRUCache<string, Learned>({ max: 256 });

  /** What to begin with at `place`. */
  find(place: Challenger): Learned | undefined {
    return this.#own.get(ownKey(place)) ?? this.#proven.get(originKey(place));
  }

  /** The token server that `place` was sent to, whoever was sent there; also after a refusal. */
  findBearer(place: Challenger): Extract<Learned, { scheme: "bearer" }> | undefined {
    const known = this.find(place) ?? this.#last.get(place.url.origin);
    return known?.scheme === "bearer" ? known : undefined;
  }

  learn(place: Challenger, learned: Learned): void {
    this.#own.set(ownKey(place), learned);
    if (!this.#last.has(place.url.origin)) this.#last.set(place.url.origin, learned);
  }

  /** What was sent by `learned` was not refused. */
  proved(place: Challenger, learned: Learned): void {
    this.#proven.set(originKey(place), learned);
    this.#last.set(place.url.origin, learned);
  }

  /** `learned` led to nothing here. What another challenge has taught meanwhile is kept. */
  forget(place: Challenger, learned: Learned): void {
    const own = this.#own.get(ownKey(place));
    if (own !== undefined && isSame(own, learned)) this.#own.delete(ownKey(place));
  }

  /** `learned` led to no token at all: nobody begins with it any more. */
  distrust(place: Challenger, learned: Learned): void {
    this.forget(place, learned);
    for (const [known, key] of [
      [this.#proven, originKey(place)],
      [this.#last, place.url.origin],
    ] as const) {
      const held = known.get(key);
      if (held !== undefined && isSame(held, learned)) known.delete(key);
    }
  }
}

export function isSame(a: Learned, b: Learned): boolean {
  if (a.scheme === "basic" || b.scheme === "basic") return a.scheme === b.scheme;
  return a.realm.href === b.realm.href && a.service === b.service;
}

function ownKey(place: Challenger): string {
  return `${originKey(place)} ${place.repository}`;
}

function originKey({ url, isStranger }: Challenger): string {
  return `${isStranger ? "stranger" : "ours"} ${url.origin}`;
}
