/**
 * Owns what registries said of clients that showed them a login of their own (docs/protocol.md#own-logins): each verdict is for one client and
 * one thing, and is believed for a minute. The login itself is never kept: verdicts are found by a keyed hash of it, whose key nobody knows
 * outside of this process.
 */
import { createHmac, randomBytes } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Clock } from "../../observe/clock.ts";
import type { Target } from "../../routing/target.ts";
import type { Permission, ReadingAsk, UpstreamClient } from "../../upstream/upstream-client.ts";
import { expiringBy, mostEntries } from "../../waiting/expiry.ts";
import { ACCESS_RETRIES } from "../../waiting/retry-numbers.ts";
import { Semaphore } from "../../waiting/semaphore.ts";
import { SingleFlight } from "../../waiting/single-flight.ts";

export type Shown = {
  /** What a client showed. */
  readonly authorization: string;
  /** The media types that a manifest is asked for with. */
  readonly accept: readonly string[];
};

const REMEMBERED = 10_000;
/** Characters. Nothing that a registry gives out is as long. */
const LONGEST = 16 * 1024;
/** Questions that one upstream is asked at the same time: clients that invent logins wait for each other. */
const MOST_AT_ONCE = 32;

export class Confirmations {
  readonly #secret = randomBytes(32);
  readonly #verdicts: LRUCache<string, Permission>;
  readonly #flights: SingleFlight<Permission>;
  readonly #turns = new Semaphore(MOST_AT_ONCE);

  constructor(clock: Clock) {
    this.#verdicts = new LRUCache({ ...mostEntries(REMEMBERED), ...expiringBy(clock) });
    this.#flights = new SingleFlight(clock);
  }

  /** What the upstream said in the last minute; undefined where it has to be asked. */
  remembered(target: Target, shown: Shown): Permission | undefined {
    if (shown.authorization.length > LONGEST) return { mayRead: false };
    return this.#verdicts.get(this.#keyOf(target, askOf(target, shown), shown));
  }

  /** The same, or what the upstream says now, with one question for everybody who shows the same. Throws what kept it from telling. */
  async confirm(client: UpstreamClient, target: Target, shown: Shown): Promise<Permission> {
    const known = this.remembered(target, shown);
    if (known !== undefined) return known;
    const ask = askOf(target, shown);
    const key = this.#keyOf(target, ask, shown);
    return await this.#flights.run(key, async () => {
      const reading = await this.#turns.run(target.upstream, () =>
        client.confirmReading(ask, shown.authorization),
      );
      this.#verdicts.set(key, reading, { ttl: lifetimeOf(client, reading) });
      return reading;
    });
  }

  #keyOf({ upstream }: Target, ask: ReadingAsk, { authorization }: Shown): string {
    // As JSON, because there no part can run into the next one.
    const text = JSON.stringify([authorization, upstream, Object.entries(ask)]);
    return createHmac("sha256", this.#secret).update(text).digest("base64url");
  }
}

/** "No" is also what the registry says of what is not there, and that is believed no longer than the policy has it. */
function lifetimeOf({ upstream }: UpstreamClient, { mayRead }: Permission): number {
  const { confirmedMs } = ACCESS_RETRIES;
  return mayRead ? confirmedMs : Math.min(confirmedMs, upstream.policy.negativeLifetimeMs);
}

/** The question whose answer reaches exactly as far as `target`. */
function askOf(target: Target, { accept }: Shown): ReadingAsk {
  const { kind, repository } = target;
  switch (kind) {
    case "manifest": {
      const { reference } = target;
      const named = "tag" in reference ? reference.tag : reference.digest;
      return { kind, repository, reference: named, accept };
    }
    case "tags":
      return { kind, repository, query: target.query };
    default:
      return { kind, repository, digest: target.digest };
  }
}
