/**
 * Owns the tokens that we hold: each is asked for only once at a time, used until it is near its end, and never shown for another identity.
 * It also remembers what tokens said of themselves, and the limits of token servers. It does not decide which servers are trusted.
 */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { type GranaryError, isGranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Credentials } from "../../oci/credentials.ts";
import { expiringBy, mostEntries } from "../../waiting/expiry.ts";
import { TOKEN_RETRIES } from "../../waiting/retry-numbers.ts";
import { SingleFlight } from "../../waiting/single-flight.ts";
import type { Transport } from "../network/transport.ts";
import { opensPull, requestToken, type TokenAsk } from "./request-token.ts";

export type Authorization = {
  readonly header: string;
  /** Made for this very request: if it is refused, a newer one would be too. */
  readonly isFresh: boolean;
};

/** What a token says of itself: pulls from the repository are granted or denied; or the token server refused to give one. */
export type Grant = "granted" | "denied" | "refused";

export type ScopedAsk = TokenAsk & {
  readonly repository: string;
  /** Asked to find out what strangers may read. */
  readonly isProbe: boolean;
};

/** `renewAt` of the clock's `elapsed`: from then on a new token is asked for, and this one is used only if there is none. */
type Token = { readonly header: string; readonly renewAt: number };

/** How long a token of an anonymous look is used: the repository may have been made private meanwhile. */
const STRANGER_MS = 60_000;

/** No token is used for longer, whatever its server says. */
const LONGEST_MS = 12 * 3600_000;

/** The part of a token's life after which a new one is asked for, as buildkit does (docs/protocol.md#challenges-and-tokens). */
const USABLE_PART = 0.9;

/** Memory for tokens: each may have up to 128 KiB, and the registry decides how many there are. */
const TOKENS_BYTES = 16 * 2 ** 20;

export type TokensOptions = {
  readonly transport: Transport;
  readonly clock: Clock;
  /** The upstream client's own: no caller may end a token request that others wait for. */
  readonly signal: AbortSignal;
};

export class Tokens {
  readonly #options: TokensOptions;
  readonly #tokens: LRUCache<string, Token>;
  /** What tokens said of themselves, also after one was refused. */
  readonly #grants: LRUCache<string, { readonly grant: Grant | undefined }>;
  /** Limits of the token server, which are not limits of the registry. */
  readonly #limited: LRUCache<string, GranaryError>;
  /** Overlapping callers share one token request (docs/protocol.md#challenges-and-tokens). */
  readonly #asking: SingleFlight<Authorization>;

  constructor(options: TokensOptions) {
    const { clock } = options;
    const expiring = expiringBy(clock);
    this.#options = options;
    this.#tokens = new LRUCache({
      ...expiring,
      maxSize: TOKENS_BYTES,
      sizeCalculation: ({ header }, key) => header.length + key.length + 200,
    });
    this.#grants = new LRUCache({ ...expiring, ...mostEntries(4096), noDeleteOnStaleGet: true });
    this.#limited = new LRUCache({ ...expiring, ...mostEntries(1024) });
    this.#asking = new SingleFlight(clock);
  }

  /** A token for `ask`. Throws what the request throws; a limit of the token server is remembered and thrown again without a request. */
  get(ask: ScopedAsk): Promise<Authorization> {
    const key = tokenKey(ask);
    const token = this.#tokens.get(key);
    if (token !== undefined && this.#options.clock.elapsed() < token.renewAt)
      return Promise.resolve({ header: token.header, isFresh: false });
    const limit = this.#limited.get(key);
    if (limit !== undefined) return Promise.reject(limit);
    return this.#asking.run(key, () => this.#request(key, ask));
  }

  /** What a token for `ask` says of pulls from its repository; undefined when it does not say. Asks for one unless an earlier one tells. */
  async grantOf(ask: ScopedAsk): Promise<Grant | undefined> {
    const known = this.#grants.get(tokenKey(ask));
    if (known !== undefined) return known.grant;
    try {
      await this.get(ask);
    } catch (error) {
      if (!isGranaryError(error, "unauthorized")) throw error;
    }
    // A token that could not be renewed says what it said before.
    return this.#grants.get(tokenKey(ask), { allowStale: true })?.grant;
  }

  /** `refused` is not used again. A newer token is kept. */
  forget(ask: ScopedAsk, refused: Authorization | undefined): void {
    const key = tokenKey(ask);
    if (this.#tokens.get(key)?.header === refused?.header) this.#tokens.delete(key);
  }

  /** Lifetimes count from the moment of asking. */
  async #request(key: string, ask: ScopedAsk): Promise<Authorization> {
    const { transport, clock, signal } = this.#options;
    const askedAt = clock.elapsed();
    // lru-cache takes 0 for "never".
    const lasting = (ms: number) => ({ ttl: Math.max(1, askedAt + ms - clock.elapsed()) });
    try {
      const { value, ...told } = await requestToken(transport, ask, signal, clock);
      const lifetimeMs = Math.min(told.lifetimeMs, ask.isProbe ? STRANGER_MS : LONGEST_MS);
      const usableMs = lifetimeMs * USABLE_PART;
      const header = `Bearer ${value}`;
      this.#tokens.set(key, { header, renewAt: askedAt + usableMs }, lasting(lifetimeMs));
      this.#grants.set(key, { grant: grantIn(value, ask.repository) }, lasting(usableMs));
      return { header, isFresh: true };
    } catch (error) {
      const isRefused = isGranaryError(error, "unauthorized");
      if (isRefused) this.#grants.set(key, { grant: "refused" }, lasting(TOKEN_RETRIES.refusedMs));
      if (isGranaryError(error, "rate-limited")) {
        const { retryAfterMs = TOKEN_RETRIES.limitedMs } = error.facts;
        if (retryAfterMs > 0) this.#limited.set(key, error, lasting(retryAfterMs));
      }
      const token = this.#tokens.get(key);
      // While the token server is away, a token that is still valid is used.
      if (!isRefused && token !== undefined) return { header: token.header, isFresh: false };
      throw error;
    }
  }
}

function grantIn(token: string, repository: string): Grant | undefined {
  const opens = opensPull(token, repository);
  if (opens === undefined) return undefined;
  return opens ? "granted" : "denied";
}

/** The identity is part of the key: the token of one must never be used for another (artifact-keeper/artifact-keeper#3606). */
function tokenKey({ realm, service, scope, credentials, isStranger }: TokenAsk): string {
  return JSON.stringify([identityKey(credentials), isStranger, realm.href, service, scope]);
}

/** One user with two passwords is two identities, and so is a rule whose login was renewed. */
function identityKey(credentials: Credentials | undefined): string {
  if (credentials === undefined) return "anonymous";
  const { rule: _, ...secrets } = credentials;
  return createHash("sha256").update(JSON.stringify(secrets)).digest("hex");
}
