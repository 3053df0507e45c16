/**
 * Owns one question to an upstream from the first request to the final answer: authorization, redirects by hand, and
 * a fresh challenge where a prepared token is refused. Credentials never follow a redirect to another origin, and are
 * never put back on later in the chain (docs/protocol.md#redirects).
 */
import { GranaryError, isGranaryError } from "../../errors.ts";
import { type Challenge, parseChallenges } from "../../oci/challenge.ts";
import { describeCredentials, type Identity, secretsOf } from "../../oci/credentials.ts";
import type { Authorizer, Destination, PreparedAuthorization } from "../identity/authorizer.ts";
import { ANONYMOUS } from "../identity/identity.ts";
import type { Authorization } from "../identity/tokens.ts";
import { answerError } from "../network/answer-error.ts";
import { discardBody } from "../network/read-body.ts";
import { isRedirect, isSameOrigin, MAX_REDIRECTS, nextHop, tooManyRedirects } from "../network/redirects.ts";
import type { Incoming, Outgoing, Transport, UpstreamRequestKind } from "../network/transport.ts";

export type Question = {
  readonly kind: UpstreamRequestKind;
  readonly method: "GET" | "HEAD";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly repository: string;
  readonly identity: Identity;
  readonly signal: AbortSignal;
  /** An answer that leads to another origin is the answer, and nobody goes there. */
  readonly stays?: boolean;
  /** Called when a redirect leaves the upstream: a failure after that is another host's. */
  readonly onAbroad: () => void;
};

export type Reply = Incoming & {
  /** Redirects led to another origin: the answer is not the upstream's own. */
  readonly isAbroad: boolean;
  /** The final request carried an Authorization. */
  readonly isAuthorized: boolean;
  /** For errors: with which credentials the upstream was asked; undefined where another host answered. */
  readonly says: string | undefined;
  /** Of ours, which no message may quote. */
  readonly secrets: readonly string[];
};

/**
 * Throws what the transport, the redirect rules and the authorizer throw, and `unauthorized` where the registry wants a login for
 * everything and got none; any other final status is an answer. Whoever is refused asks once
 * more where there is a newer identity by then: a password that was changed while this process runs.
 */
export async function exchange(
  transport: Transport,
  authorizer: Authorizer,
  question: Question,
): Promise<Reply> {
  const { renew } = question.identity;
  if (renew === undefined) return await follow(transport, authorizer, question);
  const first = await outcomeOf(follow(transport, authorizer, question));
  const identity = isRefusal(first) ? await renew() : undefined;
  if (identity === undefined) {
    if ("error" in first) throw first.error;
    return first.reply;
  }
  if ("reply" in first) discardBody(first.reply);
  return await follow(transport, authorizer, { ...question, identity });
}

type Outcome = { readonly reply: Reply } | { readonly error: unknown };

async function outcomeOf(asking: Promise<Reply>): Promise<Outcome> {
  try {
    return { reply: await asking };
  } catch (error) {
    return { error };
  }
}

/** Registries say it by 401 or, ECR to a token that has expired, by 403; token servers by either, and as an error here. */
function isRefusal(outcome: Outcome): boolean {
  if ("reply" in outcome) {
    return !outcome.reply.isAbroad && [401, 403].includes(outcome.reply.status);
  }
  const { error } = outcome;
  return isGranaryError(error, "unauthorized", "denied") && error.facts.upstreamStatus !== undefined;
}

async function follow(transport: Transport, authorizer: Authorizer, question: Question): Promise<Reply> {
  let url = question.url;
  let isAbroad = false;
  const { says, credentials } = question.identity;
  const secrets = secretsOf(credentials);
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const reply = await askAuthorized(
      transport,
      authorizer,
      question,
      destinationOf(question, url, isAbroad),
    );
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

/** A host that a redirect led to is a stranger: it is asked anonymously, for the repository that its own path names. */
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
  transport: Transport,
  authorizer: Authorizer,
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
    // nvcr.io names another realm to the bearer of an expired token; without one, the true realm (docs/protocol.md#other-registries).
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

/** Who gives no token is the token server: neither its failure nor its limit is the registry's. */
async function tokenFor(
  question: Question,
  refusal: Incoming,
  asking: Promise<PreparedAuthorization>,
): Promise<PreparedAuthorization> {
  try {
    return await asking;
  } catch (error) {
    // An answer that nobody reads keeps its connection.
    discardBody(refusal);
    question.onAbroad();
    throw error;
  }
}

function challengesOf({ headers }: Incoming): Challenge[] {
  return parseChallenges(headers["www-authenticate"]);
}

/** A token that was asked for says "absent or private" when it is refused; what was configured says that it is wrong. */
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
 * A registry that sends strangers to no token server wants a login for all that it has: that is more than "absent or private". Where
 * there is a token server, a refusal may mean just that (docs/protocol.md#docker-hub-absent-repositories), and nothing more is said.
 */
function refuseStranger({ identity }: Question, answer: AuthorizedAnswer): void {
  // Who asks as a stranger on purpose wants to know how strangers are answered.
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
  { kind, method, headers, signal, identity }: Question,
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
  };
  return { ...(await transport.send(outgoing)), isAuthorized: authorization !== undefined };
}
