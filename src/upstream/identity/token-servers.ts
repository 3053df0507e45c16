/**
 * Owns whether the token servers that a registry names answer at all: where one does not, its challenge leads clients nowhere. It asks without a
 * login. It must never take a slow line, a refusal or a limit for a server that is away.
 */
import { LRUCache } from "lru-cache";
import { isGranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import { within } from "../../waiting/deadline.ts";
import { expiringBy, mostEntries } from "../../waiting/expiry.ts";
import { SingleFlight } from "../../waiting/single-flight.ts";
import { sleep } from "../../waiting/sleep.ts";
import { discardBody } from "../network/read-body.ts";
import type { Transport } from "../network/transport.ts";

/** A client waits for its challenge meanwhile. What becomes known later counts for the next one. */
const WAIT_MS = 3_000;
/** How long it is believed that a server answers, and that it does not. */
const ANSWERS_MS = 30_000;
const AWAY_MS = 10_000;
/** A line may lose a connection; a server that is away loses all. */
const ATTEMPTS = 2;
const BETWEEN_MS = 500;
const MOST_SERVERS = 100;

type TokenServersOptions = {
  readonly transport: Pick<Transport, "send" | "isServing">;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

export class TokenServers {
  readonly #options: TokenServersOptions;
  /** By origin. */
  readonly #away: LRUCache<string, boolean>;
  readonly #asking: SingleFlight<boolean>;

  constructor(options: TokenServersOptions) {
    this.#options = options;
    this.#away = new LRUCache({ ...mostEntries(MOST_SERVERS), ...expiringBy(options.clock) });
    this.#asking = new SingleFlight(options.clock);
  }

  /** True where the server of `url` is known to be away. Waits a few seconds for that at most, and throws nothing. */
  async isAway(url: URL): Promise<boolean> {
    const { origin } = url;
    const known = this.#away.get(origin);
    if (known !== undefined) return known;
    const asked = this.#asking.run(origin, () => this.#ask(url));
    return (await within(asked, WAIT_MS, this.#options.clock)) ?? false;
  }

  async #ask(url: URL): Promise<boolean> {
    const { clock, signal } = this.#options;
    try {
      let isAway = await this.#fails(url);
      for (let attempt = 1; isAway && attempt < ATTEMPTS; attempt++) {
        await sleep(BETWEEN_MS, clock, signal);
        isAway = await this.#fails(url);
      }
      this.#away.set(url.origin, isAway, { ttl: isAway ? AWAY_MS : ANSWERS_MS });
      return isAway;
    } catch (error) {
      // It was not found out: an address that may not be reached, an answer that is no HTTP, or this client is closing.
      if (isGranaryError(error)) return false;
      throw error;
    }
  }

  async #fails(url: URL): Promise<boolean> {
    const { transport, signal } = this.#options;
    const headers = { accept: "application/json" };
    try {
      const ask = { kind: "token", method: "GET", url, headers, isStranger: true, signal } as const;
      const answer = await transport.send(ask);
      discardBody(answer);
      return answer.status >= 500;
    } catch (error) {
      if (!isGranaryError(error, "upstream-unavailable")) throw error;
      // Somebody is there whom we do not trust (the client may), or our own proxy is in the way.
      if (error.facts.saysWhatToDo === true) return false;
      // A host that gives few connections refuses more while it serves those.
      return !transport.isServing(url);
    }
  }
}
