/**
 * Owns the `Authorization` of each upstream request: which challenge is answered, by a password or by a token. Credentials go to the
 * upstream's own endpoints (Basic) and to trusted realms (tokens), and never anywhere else.
 */
import { GranaryError, isGranaryError } from "../../errors.ts";
import type { Challenge } from "../../oci/challenge.ts";
import type { Credentials, PasswordCredentials } from "../../oci/credentials.ts";
import { formatBasic } from "../network/headers.ts";
import type { Upstream } from "../policy.ts";
import { isSame, type Learned, LearnedChallenges } from "./learned-challenges.ts";
import { isTrustedRealm } from "./realm-trust.ts";
import { type Authorization, type Grant, type ScopedAsk, Tokens, type TokensOptions } from "./tokens.ts";

/** Where a request goes, and as whom. */
export type Destination = {
  readonly url: URL;
  readonly repository: string;
  /** undefined asks anonymously: without credentials, or on a host that a redirect led to. */
  readonly credentials: Credentials | undefined;
  /** False after a redirect to another origin. */
  readonly isEndpoint: boolean;
  /** Asked without a login and without a client certificate. */
  readonly isStranger: boolean;
};

/** What a destination is asked with, and the challenge that it was made for. */
export type PreparedAuthorization = {
  /** undefined when none can be had for that challenge. */
  readonly authorization: Authorization | undefined;
  /** undefined for a token that the configuration gives as it is. */
  readonly learned: Learned | undefined;
  /** Why there is no authorization. The challenge may be out of date: the registry's next one tells. */
  readonly failure?: unknown;
};

/** The longest realm or service of a challenge, in characters: it is kept for each repository. */
const LONGEST = 2_048;

export class Authorizer {
  readonly #upstream: Upstream;
  readonly #learned = new LearnedChallenges();
  readonly #tokens: Tokens;

  constructor({ upstream, ...options }: TokensOptions & { readonly upstream: Upstream }) {
    this.#upstream = upstream;
    this.#tokens = new Tokens(options);
  }

  /**
   * What to send with the first request, when a challenge of this destination or of its origin is known; renews a token that is near its end.
   * undefined when none is known. If no token can be had, that is no error yet: the request is sent without one, and the answer tells what
   * is wanted now. Throws `aborted` and `closed`.
   */
  async known(destination: Destination): Promise<PreparedAuthorization | undefined> {
    const own = ownToken(destination);
    if (own !== undefined) return { authorization: own, learned: undefined };
    const learned = this.#learned.find(destination);
    if (learned === undefined) return undefined;
    try {
      return { authorization: await this.#authorize(destination, learned), learned };
    } catch (failure) {
      if (isGranaryError(failure, "aborted", "closed")) throw failure;
      this.#learned.distrust(destination, learned);
      return { authorization: undefined, learned, failure };
    }
  }

  /**
   * What to send after a 401 with `challenges`. There is no authorization in it when the challenges ask for something that we do not have or
   * must not send there, or when an anonymous request for a token is refused (the content is absent or private). `tried` has led to this
   * 401: the same is not tried again.
   *
   * Throws `unauthorized` (the credentials are refused), `denied` (the realm is not trusted), `rate-limited`,
   * `upstream-unavailable`, `upstream-protocol`.
   */
  async answer(
    destination: Destination,
    challenges: readonly Challenge[],
    tried: PreparedAuthorization | undefined,
  ): Promise<PreparedAuthorization> {
    const learned = this.#choose(destination, challenges);
    if (learned === undefined) return { authorization: undefined, learned };
    if (tried?.learned !== undefined && isSame(tried.learned, learned)) {
      if (tried.failure !== undefined) throw tried.failure;
      if (tried.authorization?.isFresh !== false) return { authorization: undefined, learned };
    }
    this.#learned.learn(destination, learned);
    try {
      return { authorization: await this.#authorize(destination, learned), learned };
    } catch (error) {
      this.#learned.distrust(destination, learned);
      throw error;
    }
  }

  /** True when a 401 to `refused` has another challenge than the one that `refused` was made for. */
  asksForOther(
    destination: Destination,
    refused: PreparedAuthorization,
    challenges: readonly Challenge[],
  ): boolean {
    if (refused.learned === undefined) return false;
    const learned = this.#choose(destination, challenges);
    return learned !== undefined && !isSame(learned, refused.learned);
  }

  /**
   * What a token for `destination` says of pulls from its repository; undefined when that cannot be told, because no token server is known
   * or its tokens do not say. Sends at most one request, to that server, and none while an earlier token tells. Throws what that request
   * throws.
   */
  async grantOf(destination: Destination): Promise<Grant | undefined> {
    const learned = this.#learned.findBearer(destination);
    return learned && (await this.#tokens.grantOf(this.#askOf(destination, learned)));
  }

  /** What was sent was not refused: other repositories of this origin begin with the same challenge. */
  proved(destination: Destination, { authorization, learned }: PreparedAuthorization): void {
    if (authorization !== undefined && learned !== undefined) this.#learned.proved(destination, learned);
  }

  /** What was sent was refused: the next request starts from a new challenge. A newer token is kept. */
  forget(destination: Destination, { authorization, learned }: PreparedAuthorization): void {
    if (learned === undefined) return;
    this.#learned.forget(destination, learned);
    if (learned.scheme !== "bearer") return;
    this.#tokens.forget(this.#askOf(destination, learned), authorization);
  }

  #choose(destination: Destination, challenges: readonly Challenge[]): Learned | undefined {
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    if (bearer !== undefined) return this.#bearer(destination, bearer);
    const offersBasic = challenges.some(({ scheme }) => scheme === "basic");
    return offersBasic && destination.isEndpoint && hasPassword(destination.credentials)
      ? { scheme: "basic" }
      : undefined;
  }

  #bearer(destination: Destination, { parameters }: Challenge): Learned | undefined {
    const realm = URL.parse(parameters.get("realm") ?? "", destination.url.href);
    if (realm === null || realm.href.length > LONGEST || (parameters.get("service")?.length ?? 0) > LONGEST)
      return undefined;
    const upstream = this.#upstream;
    if (isTrustedRealm(realm, destination.url, destination.isEndpoint ? upstream.realms : [])) {
      return { scheme: "bearer", realm, service: parameters.get("service") };
    }
    if (!destination.isEndpoint) return undefined;
    throw new GranaryError(
      "denied",
      `${destination.url.host} sends us to the token server ${realm.protocol}//${realm.host}, which is neither its own domain nor listed in the realms of upstream ${upstream.name}. No credentials were sent.`,
      { found: realm.host },
    );
  }

  async #authorize(destination: Destination, learned: Learned): Promise<Authorization | undefined> {
    if (learned.scheme === "basic") {
      const { credentials } = destination;
      return hasPassword(credentials) ? { header: formatBasic(credentials), isFresh: true } : undefined;
    }
    try {
      return await this.#tokens.get(this.#askOf(destination, learned));
    } catch (error) {
      // ghcr.io refuses anonymous tokens for what is absent or private; a 403 to a request with credentials means the same.
      const isHidden = destination.credentials === undefined || statusOf(error) === 403;
      if (isGranaryError(error, "unauthorized") && isHidden) return undefined;
      throw error;
    }
  }

  /** The scope is made here, whatever the challenge says: ghcr.io names a placeholder (docs/protocol.md#other-registries). */
  #askOf(
    { repository, credentials, isStranger, isEndpoint }: Destination,
    { realm, service }: Extract<Learned, { scheme: "bearer" }>,
  ): ScopedAsk {
    const scope = `repository:${repository}:pull`;
    const isProbe = isStranger && isEndpoint;
    return { realm, service, repository, scope, credentials, isStranger, isProbe };
  }
}

/** A token that the configuration gives as it is: for the upstream's own endpoints, without asking any realm. */
function ownToken({ credentials, isEndpoint }: Destination): Authorization | undefined {
  if (credentials === undefined || !("registryToken" in credentials) || !isEndpoint) return undefined;
  return { header: `Bearer ${credentials.registryToken}`, isFresh: true };
}

function hasPassword(credentials: Credentials | undefined): credentials is PasswordCredentials {
  return credentials !== undefined && "password" in credentials;
}

function statusOf(error: unknown): number | undefined {
  return isGranaryError(error) ? error.facts.upstreamStatus : undefined;
}
