/**
 * Owns what `Authorization` an upstream request carries: challenge -> token, cached and single-flight. Credentials go
 * to the upstream's own endpoints (Basic) and to trusted realms (tokens), never anywhere else. Over 300 lines, because what is
 * learned, asked and forgotten of one token has to be read together.
 */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { GranaryError, isGranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Challenge } from "../../oci/challenge.ts";
import type { Credentials, PasswordCredentials } from "../../oci/credentials.ts";
import { formatBasic } from "../network/headers.ts";
import type { Transport } from "../network/transport.ts";
import type { Upstream } from "../policy.ts";
import { isSame, type Learned, LearnedChallenges } from "./learned-challenges.ts";
import { isTrustedRealm } from "./realm-trust.ts";
import { requestToken, type TokenAsk } from "./request-token.ts";
import { opensPull } from "./token-access.ts";

/** Where a request goes and for whom. */
export type Place = {
  readonly url: URL;
  readonly repository: string;
  /** undefined asks anonymously: without credentials, or on a host that a redirect led to. */
  readonly credentials: Credentials | undefined;
  /** False after a redirect to another origin. */
  readonly isEndpoint: boolean;
  /** Asked without anything that only we have, be it a login or a certificate. */
  readonly isStranger: boolean;
};

export type Authorization = {
  readonly header: string;
  /** Made for this very request: if it is refused, a newer one would be too. */
  readonly isFresh: boolean;
};

/** What a place is asked with, and how that was come by. */
export type Held = {
  /** undefined where none is to be had by `learned`. */
  readonly authorization: Authorization | undefined;
  /** undefined for a token that was given to us as it is. */
  readonly learned: Learned | undefined;
  /** Why there is no authorization. What was learned may have changed since: the registry's next challenge tells. */
  readonly failure?: unknown;
};

/** By its own claims a token opens the repository or not; or the token server gave none. */
export type Grant = "granted" | "denied" | "refused";

type ScopedAsk = TokenAsk & {
  readonly repository: string;
  /** Asked to find out what strangers may read. */
  readonly isProbe: boolean;
};

type HeldToken = { readonly header: string; readonly renewAt: number; readonly until: number };

/** How long the refusal of a token counts as a word on what it would have opened. */
const REFUSED_MS = 10_000;

/** What a token opens for strangers is asked anew after this: a repository may have been made private meanwhile. */
const STRANGER_MS = 60_000;

/** A token server that limits us without saying for how long. */
const LIMITED_MS = 30_000;

/** No token is believed for longer, whatever its server says. */
const LONGEST_MS = 12 * 3600_000;

/** Part of a token's life after which a new one is asked for (as buildkit does: docs/protocol.md#challenges-and-tokens). */
const USABLE_PART = 0.9;

export type AuthorizerOptions = {
  readonly upstream: Upstream;
  readonly transport: Transport;
  readonly clock: Clock;
  /** The client's own: no caller may end a token request that others wait for. */
  readonly signal: AbortSignal;
};

/** Of what a challenge names, in characters: it is kept for each repository. */
const LONGEST = 2_048;
/** Tokens of up to 128 KiB are taken, and their number is the registry's to choose. */
const TOKENS_BYTES = 16 * 2 ** 20;

export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #learned = new LearnedChallenges();
  readonly #tokens = new LRUCache<string, HeldToken>({
    max: 4096,
    maxSize: TOKENS_BYTES,
    sizeCalculation: ({ header }, key) => header.length + key.length + 200,
  });
  /** What tokens said of themselves, also after one was refused. */
  readonly #told = new LRUCache<string, { readonly grant: Grant | undefined; readonly until: number }>({
    max: 4096,
  });
  readonly #asking = new Map<string, Promise<Authorization>>();
  /** Limits of the token server, which are no limits of the registry. */
  readonly #limited = new LRUCache<string, { readonly error: GranaryError; readonly until: number }>({
    max: 1024,
  });

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /**
   * What to send at once, when something is known of this place or of its origin; renews a token that is near its end. undefined
   * when nothing is known. A token that is not to be had is no error yet: the place is asked without it, and says by what it
   * wants to be asked now. Throws `aborted` and `closed`.
   */
  async known(place: Place): Promise<Held | undefined> {
    const own = ownToken(place);
    if (own !== undefined) return { authorization: own, learned: undefined };
    const learned = this.#learned.find(place);
    if (learned === undefined) return undefined;
    try {
      return { authorization: await this.#authorize(place, learned), learned };
    } catch (failure) {
      if (isGranaryError(failure, "aborted", "closed")) throw failure;
      this.#learned.distrust(place, learned);
      return { authorization: undefined, learned, failure };
    }
  }

  /**
   * What to send after a 401 with `challenges`; without authorization when they offer nothing that this place may be answered
   * with, or when an anonymous request for a token is refused (the content is absent or private). `tried` has led to this 401: the same is
   * not tried again.
   *
   * Throws `unauthorized` (the credentials are refused), `denied` (the realm is not trusted), `rate-limited`,
   * `upstream-unavailable`, `upstream-protocol`.
   */
  async answer(place: Place, challenges: readonly Challenge[], tried: Held | undefined): Promise<Held> {
    const learned = this.#choose(place, challenges);
    if (learned === undefined) return { authorization: undefined, learned };
    if (tried?.learned !== undefined && isSame(tried.learned, learned)) {
      if (tried.failure !== undefined) throw tried.failure;
      if (tried.authorization?.isFresh !== false) return { authorization: undefined, learned };
    }
    this.#learned.learn(place, learned);
    try {
      return { authorization: await this.#authorize(place, learned), learned };
    } catch (error) {
      this.#learned.distrust(place, learned);
      throw error;
    }
  }

  /** True when a 401 to `refused` asks for something else than what that was made by. */
  asksForOther(place: Place, refused: Held, challenges: readonly Challenge[]): boolean {
    if (refused.learned === undefined) return false;
    const learned = this.#choose(place, challenges);
    return learned !== undefined && !isSame(learned, refused.learned);
  }

  /**
   * What a token for `place` says of pulls from its repository; undefined where that cannot be told: no token server is known here, or its
   * tokens say nothing. Sends at most one request, to that server, and none while a token of before tells; throws what the request throws.
   */
  async grantOf(place: Place): Promise<Grant | undefined> {
    const learned = this.#learned.findBearer(place);
    if (learned === undefined) return undefined;
    const ask = this.#askOf(place, learned);
    const told = this.#told.get(tokenKey(ask));
    if (told !== undefined && this.#options.clock.elapsed() < told.until) return told.grant;
    try {
      await this.#token(ask);
    } catch (error) {
      if (!isGranaryError(error, "unauthorized")) throw error;
    }
    return this.#told.get(tokenKey(ask))?.grant;
  }

  /** What was sent was not refused: other repositories of this origin begin with it. */
  proved(place: Place, { authorization, learned }: Held): void {
    if (authorization !== undefined && learned !== undefined) this.#learned.proved(place, learned);
  }

  /** `refused` did not open the door: the next request starts from a new challenge. A newer token is kept. */
  forget(place: Place, { authorization, learned }: Held): void {
    if (learned === undefined) return;
    this.#learned.forget(place, learned);
    if (learned.scheme !== "bearer") return;
    const key = tokenKey(this.#askOf(place, learned));
    if (this.#tokens.get(key)?.header === authorization?.header) this.#tokens.delete(key);
  }

  #choose(place: Place, challenges: readonly Challenge[]): Learned | undefined {
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    if (bearer !== undefined) return this.#bearer(place, bearer);
    const offersBasic = challenges.some(({ scheme }) => scheme === "basic");
    return offersBasic && place.isEndpoint && hasPassword(place.credentials)
      ? { scheme: "basic" }
      : undefined;
  }

  #bearer(place: Place, { parameters }: Challenge): Learned | undefined {
    const realm = URL.parse(parameters.get("realm") ?? "", place.url.href);
    if (realm === null || realm.href.length > LONGEST || (parameters.get("service")?.length ?? 0) > LONGEST)
      return undefined;
    const { upstream } = this.#options;
    if (isTrustedRealm(realm, place.url, place.isEndpoint ? upstream.realms : [])) {
      return { scheme: "bearer", realm, service: parameters.get("service") };
    }
    if (!place.isEndpoint) return undefined;
    throw new GranaryError(
      "denied",
      `${place.url.host} sends us to the token server ${realm.protocol}//${realm.host}, which is neither its own domain nor listed in the realms of upstream ${upstream.name}. No credentials were sent.`,
      { found: realm.host },
    );
  }

  async #authorize(place: Place, learned: Learned): Promise<Authorization | undefined> {
    if (learned.scheme === "basic") {
      const { credentials } = place;
      return hasPassword(credentials) ? { header: formatBasic(credentials), isFresh: true } : undefined;
    }
    try {
      return await this.#token(this.#askOf(place, learned));
    } catch (error) {
      // ghcr.io refuses anonymous tokens for what is absent or private; with credentials 403 says the same.
      const isHidden = place.credentials === undefined || statusOf(error) === 403;
      if (isGranaryError(error, "unauthorized") && isHidden) return undefined;
      throw error;
    }
  }

  /** The scope is ours, whatever the challenge's said: ghcr.io names a placeholder there (docs/protocol.md#other-registries). */
  #askOf(
    { repository, credentials, isStranger, isEndpoint }: Place,
    { realm, service }: Extract<Learned, { scheme: "bearer" }>,
  ): ScopedAsk {
    const scope = `repository:${repository}:pull`;
    const isProbe = isStranger && isEndpoint;
    return { realm, service, repository, scope, credentials, isStranger, isProbe };
  }

  /** No await from the look-up to the insert: overlapping callers share one token request (docs/protocol.md#challenges-and-tokens). */
  #token(ask: ScopedAsk): Promise<Authorization> {
    const key = tokenKey(ask);
    const held = this.#tokens.get(key);
    if (held !== undefined && this.#options.clock.elapsed() < held.renewAt) {
      return Promise.resolve({ header: held.header, isFresh: false });
    }
    const limit = this.#limited.get(key);
    if (limit !== undefined && this.#options.clock.elapsed() < limit.until)
      return Promise.reject(limit.error);
    const running = this.#asking.get(key);
    if (running !== undefined) return running;
    const asking = this.#request(key, ask).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  async #request(key: string, ask: ScopedAsk): Promise<Authorization> {
    const { transport, clock, signal } = this.#options;
    const askedAt = clock.elapsed();
    try {
      const token = await requestToken(transport, ask, signal, clock);
      const { value } = token;
      const lifetimeMs = Math.min(token.lifetimeMs, ask.isProbe ? STRANGER_MS : LONGEST_MS);
      const header = `Bearer ${value}`;
      const renewAt = askedAt + lifetimeMs * USABLE_PART;
      this.#tokens.set(key, { header, renewAt, until: askedAt + lifetimeMs });
      const opens = opensPull(value, ask.repository);
      const grant = opens === undefined ? undefined : opens ? "granted" : "denied";
      this.#told.set(key, { grant, until: renewAt });
      return { header, isFresh: true };
    } catch (error) {
      const isRefused = isGranaryError(error, "unauthorized");
      if (isRefused) this.#told.set(key, { grant: "refused", until: askedAt + REFUSED_MS });
      if (isGranaryError(error, "rate-limited")) {
        this.#limited.set(key, { error, until: askedAt + (error.facts.retryAfterMs ?? LIMITED_MS) });
      }
      const held = this.#tokens.get(key);
      // A token server that is away is no reason to give up a token that still holds.
      if (!isRefused && held !== undefined && clock.elapsed() < held.until) {
        return { header: held.header, isFresh: false };
      }
      throw error;
    }
  }
}

/** A token that was given to us as it is: for the upstream's own endpoints, and not to be bought at any realm. */
function ownToken({ credentials, isEndpoint }: Place): Authorization | undefined {
  if (credentials === undefined || !("registryToken" in credentials) || !isEndpoint) return undefined;
  return { header: `Bearer ${credentials.registryToken}`, isFresh: true };
}

function hasPassword(credentials: Credentials | undefined): credentials is PasswordCredentials {
  return credentials !== undefined && "password" in credentials;
}

/** The identity is part of the key: one caller's token must never serve another (artifact-keeper/artifact-keeper#3606). */
function tokenKey({ realm, service, scope, credentials, isStranger }: TokenAsk): string {
  return JSON.stringify([identityKey(credentials), isStranger, realm.href, service, scope]);
}

/** One user with two passwords, or one rule whose login was renewed, are two identities. */
function identityKey(credentials: Credentials | undefined): string {
  if (credentials === undefined) return "anonymous";
  const { rule: _, ...secrets } = credentials;
  return createHash("sha256").update(JSON.stringify(secrets)).digest("hex");
}

function statusOf(error: unknown): number | undefined {
  return isGranaryError(error) ? error.facts.upstreamStatus : undefined;
}
