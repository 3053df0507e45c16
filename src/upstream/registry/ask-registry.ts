/**
 * Owns one question to a registry from the first request to the final answer: authorization, redirects, and a new challenge when a known
 * token is refused. Credentials never follow a redirect to another origin, and are not sent again later in that chain
 * (docs/protocol.md#redirects).
 */
import { GranaryError, isGranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Metrics } from "../../observe/metrics.ts";
import { type Challenge, parseChallenges } from "../../oci/challenge.ts";
import { describeCredentials, type Identity, secretsOf } from "../../oci/credentials.ts";
import type { WantedFor } from "../../origin.ts";
import type { Authorizer, Destination, PreparedAuthorization } from "../identity/authorizer.ts";
import { ANONYMOUS } from "../identity/identity.ts";
import type { Authorization } from "../identity/tokens.ts";
import { answerError } from "../network/answer-error.ts";
import type { Bandwidth } from "../network/bandwidth.ts";
import type { Caller } from "../network/caller.ts";
import type { Endpoints } from "../network/endpoints.ts";
import { discardBody } from "../network/read-body.ts";
import { isRedirect, isSameOrigin, MAX_REDIRECTS, nextHop, tooManyRedirects } from "../network/redirects.ts";
import type { Incoming, Outgoing, Transport, UpstreamRequestKind } from "../network/transport.ts";
import type { Upstream } from "../policy.ts";

/** The parts that every question to one upstream is asked with. Made by upstream/client.ts only. */
export type Uplink = {
  readonly upstream: Upstream;
  readonly transport: Transport;
  readonly authorizer: Authorizer;
  readonly endpoints: Endpoints;
  readonly caller: Caller;
  /** A client certificate is shown to the registry, which may let in nobody else. */
  readonly hasCertificate: boolean;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Hears of each part of a body of content as it comes, in bytes. */
  readonly onFetched: (repository: string, bytes: number) => void;
  readonly bandwidth: Bandwidth;
};

type Question = {
  readonly kind: UpstreamRequestKind;
  readonly method: "GET" | "HEAD";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly repository: string;
  readonly identity: Identity;
  readonly signal: AbortSignal;
  readonly wantedFor?: WantedFor | undefined;
  /** A redirect to another origin is the answer, and is not followed. */
  readonly stays?: boolean;
  /** Called when a redirect leads to another origin: a failure after that is not the upstream's. */
  readonly onAbroad: () => void;
};

type Asking = Pick<Uplink, "transport" | "authorizer">;

export type Reply = Incoming & {
  /** A redirect led to another origin: the answer is not the upstream's own. */
  readonly isAbroad: boolean;
  /** The final request carried an Authorization. */
  readonly isAuthorized: boolean;
  /** For errors: with which credentials the upstream was asked; undefined where another host answered. */
  readonly says: string | undefined;
  /** Our passwords and tokens, which no message may quote. */
  readonly secrets: readonly string[];
};

/**
 * Throws what the transport, the redirect rules and the authorizer throw, and `unauthorized` when the registry wants a login for everything
 * and got none. Any other final status is an answer. After a refusal the question is asked once more if there is a newer identity: a
 * password that was changed while this process runs.
 */
export async function askRegistry(uplink: Asking, question: Question): Promise<Reply> {
  const { renew } = question.identity;
  if (renew === undefined) return await follow(uplink, question);
  const first = await outcomeOf(follow(uplink, question));
  const identity = isRefusal(first) ? await renew() : undefined;
  if (identity === undefined) {
    if ("error" in first) throw first.error;
    return first.reply;
  }
  if ("reply" in first) discardBody(first.reply);
  return await follow(uplink, { ...question, identity });
}

type Outcome = { readonly reply: Reply } | { readonly error: unknown };

async function outcomeOf(asking: Promise<Reply>): Promise<Outcome> {
  try {
    return { reply: await asking };
  } catch (error) {
    return { error };
  }
}

/** Registries refuse with 401, and ECR with 403 when a token has expired; token servers do both, which arrives here as an error. */
function isRefusal(outcome: Outcome): boolean {
  if ("reply" in outcome) {
    return !outcome.reply.isAbroad && [401, 403].includes(outcome.reply.status);
  }
  const { error } = outcome;
  return isGranaryError(error, "unauthorized", "denied") && error.facts.upstreamStatus !== undefined;
}

async function follow(uplink: Asking, question: Question): Promise<Reply> {
  let url = question.url;
  let isAbroad = false;
  const { says, credentials } = question.identity;
  const secrets = secretsOf(credentials);
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const reply = await askAuthorized(uplink, question, destinationOf(question, url, isAbroad));
    if (!isRedirect(reply)) {
      if (!isAbroad) refuseStranger(question, reply);
      return { ...reply, isAbroad, says: isAbroad ? undefined : says, secrets };
    }
    discardBody(reply);
    const next = nextHop(reply);
    if (question.stays === true && !isSameOrigin(url, next))
      return { ...reply, isAbroad, says: undefined, secrets };
    isAbroad ||= !isSameOrigin(url, next);
    if (isAbroad) question.onAbroad();
    url = next;
  }
  throw tooManyRedirects(question.url);
}

/** A host that a redirect led to is asked anonymously, for the repository that is named in its own path. */
function destinationOf({ repository, identity }: Question, url: URL, isAbroad: boolean): Destination {
  if (!isAbroad) {
    const isStranger = identity === ANONYMOUS;
    return { url, repository, credentials: identity.credentials, isEndpoint: true, isStranger };
  }
  const own = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(url.pathname)?.[1];
  return { url, repository: own ?? repository, credentials: undefined, isEndpoint: false, isStranger: true };
}

type AuthorizedAnswer = Incoming & { readonly isAuthorized: boolean };

async function askAuthorized(
  { transport, authorizer }: Asking,
  question: Question,
  destination: Destination,
): Promise<AuthorizedAnswer> {
  const ask = (authorization: Authorization | undefined) =>
    send(transport, question, destination, authorization);
  const prepared = await authorizer.known(destination);
  let answer = await ask(prepared?.authorization);
  if (answer.status !== 401) return opened(authorizer, destination, prepared, answer);
  if (prepared?.authorization !== undefined) {
    authorizer.forget(destination, prepared);
    if (
      prepared.authorization.isFresh &&
      !authorizer.asksForOther(destination, prepared, challengesOf(answer))
    ) {
      refuseLogin(destination, prepared.authorization, answer);
      return answer;
    }
    // To an expired token nvcr.io names another realm; without a token it names the right one (docs/protocol.md#other-registries).
    discardBody(answer);
    answer = await ask(undefined);
    if (answer.status !== 401) return answer;
  }
  const fresh = await tokenFor(
    question,
    answer,
    authorizer.answer(destination, challengesOf(answer), prepared),
  );
  if (fresh.authorization === undefined) return answer;
  discardBody(answer);
  const second = await ask(fresh.authorization);
  if (second.status !== 401) return opened(authorizer, destination, fresh, second);
  authorizer.forget(destination, fresh);
  refuseLogin(destination, fresh.authorization, second);
  return second;
}

function opened(
  authorizer: Authorizer,
  destination: Destination,
  prepared: PreparedAuthorization | undefined,
  answer: AuthorizedAnswer,
): AuthorizedAnswer {
  if (prepared !== undefined) authorizer.proved(destination, prepared);
  return answer;
}

/** A failure or limit of the token server is not one of the registry. */
async function tokenFor(
  question: Question,
  refusal: Incoming,
  asking: Promise<PreparedAuthorization>,
): Promise<PreparedAuthorization> {
  try {
    return await asking;
  } catch (error) {
    // Otherwise its connection could not be used again.
    discardBody(refusal);
    question.onAbroad();
    throw error;
  }
}

function challengesOf({ headers }: Incoming): Challenge[] {
  return parseChallenges(headers["www-authenticate"]);
}

/** Throws when the refused authorization was configured: the login is wrong. A refused token that we asked for means "absent or private". */
function refuseLogin({ credentials }: Destination, { header }: Authorization, answer: Incoming): void {
  if (credentials === undefined) return;
  const isOwnToken = "registryToken" in credentials;
  if (!isOwnToken && !header.startsWith("Basic ")) return;
  discardBody(answer);
  const why = isOwnToken ? "the token has ended, or it is not for this repository" : "log in again";
  throw new GranaryError(
    "unauthorized",
    `${answer.url.host} refused ${describeCredentials(credentials)} (401): ${why}.`,
    { upstreamStatus: 401, reason: `${answer.url.host} refused the login (401)` },
  );
}

/**
 * Throws when the registry names no token server to requests without a login: then it wants a login for everything. When it names one, a
 * refusal may also mean "absent or private" (docs/protocol.md#docker-hub-absent-repositories), and nothing is thrown.
 */
function refuseStranger({ identity }: Question, answer: AuthorizedAnswer): void {
  // An anonymous look wants to know how strangers are answered.
  if (identity === ANONYMOUS) return;
  if (answer.status !== 401 || answer.isAuthorized) return;
  const schemes = parseChallenges(answer.headers["www-authenticate"]).map(({ scheme }) => scheme);
  if (!schemes.includes("basic") || schemes.includes("bearer")) return;
  discardBody(answer);
  throw answerError("unauthorized", answer.url, "wants a login (401)", {
    more: ` ${identity.says}`,
    upstreamStatus: 401,
  });
}

async function send(
  transport: Transport,
  { kind, method, headers, signal, identity, wantedFor }: Question,
  { url }: Destination,
  authorization: Authorization | undefined,
): Promise<AuthorizedAnswer> {
  const withAuthorization = authorization && { authorization: authorization.header };
  const outgoing: Outgoing = {
    kind,
    method,
    url,
    headers: { ...headers, ...withAuthorization },
    isStranger: identity === ANONYMOUS,
    signal,
    wantedFor,
  };
  return { ...(await transport.send(outgoing)), isAuthorized: authorization !== undefined };
}
