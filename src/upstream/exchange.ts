/**
 * Owns one question to an upstream from the first request to the final answer: authorization, redirects by hand, and
 * a fresh challenge where a held token is refused. Credentials never follow a redirect to another origin, and are
 * never put back on later in the chain (registry-clients.md F.2).
 */
import { GranaryError } from "../errors.ts";
import { parseChallenges } from "../oci/challenge.ts";
import type { Authorization, Authorizer, Place } from "./authorizer.ts";
import type { Credentials } from "./policy.ts";
import { discardBody } from "./read-body.ts";
import { isRedirect, isSameOrigin, MAX_REDIRECTS, nextHop, tooManyRedirects } from "./redirects.ts";
import type { Incoming, Outgoing, RequestKind, Transport } from "./transport.ts";

export type Question = {
  readonly kind: RequestKind;
  readonly method: "GET" | "HEAD";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly repository: string;
  /** undefined asks anonymously. */
  readonly credentials: Credentials | undefined;
  readonly signal: AbortSignal;
  /** Called when a redirect leaves the upstream: a failure after that is another host's. */
  readonly onAbroad: () => void;
};

export type Reply = Incoming & {
  /** Redirects led to another origin: the answer is not the upstream's own. */
  readonly isAbroad: boolean;
  /** The final request carried an Authorization. */
  readonly isAuthorized: boolean;
};

/** Throws what the transport, the redirect rules and the authorizer throw; any final status is an answer. */
export async function exchange(
  transport: Transport,
  authorizer: Authorizer,
  question: Question,
): Promise<Reply> {
  let url = question.url;
  let isAbroad = false;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const reply = await askAuthorized(transport, authorizer, question, placeOf(question, url, isAbroad));
    if (!isRedirect(reply)) return { ...reply, isAbroad };
    discardBody(reply);
    const next = nextHop(reply);
    isAbroad ||= !isSameOrigin(url, next);
    if (isAbroad) question.onAbroad();
    url = next;
  }
  throw tooManyRedirects(question.url);
}

/** A host that a redirect led to is a stranger: it is asked anonymously, for the repository that its own path names. */
function placeOf({ repository, credentials }: Question, url: URL, isAbroad: boolean): Place {
  if (!isAbroad) return { url, repository, credentials, isEndpoint: true };
  const own = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(url.pathname)?.[1];
  return { url, repository: own ?? repository, credentials: undefined, isEndpoint: false };
}

type AuthorizedAnswer = Incoming & { readonly isAuthorized: boolean };

async function askAuthorized(
  transport: Transport,
  authorizer: Authorizer,
  question: Question,
  place: Place,
): Promise<AuthorizedAnswer> {
  const ask = (authorization: Authorization | undefined) =>
    send(transport, question, place.url, authorization);
  const held = await authorizer.known(place);
  let answer = await ask(held);
  if (answer.status !== 401) return answer;
  if (held !== undefined) {
    authorizer.forget(place, held);
    refuseBasic(held, answer);
    if (held.isFresh) return answer;
    // nvcr.io names another realm to the bearer of an expired token; without one, the true realm (H70).
    discardBody(answer);
    answer = await ask(undefined);
    if (answer.status !== 401) return answer;
  }
  const fresh = await authorizer.answer(place, parseChallenges(answer.headers["www-authenticate"]));
  if (fresh === undefined) return answer;
  discardBody(answer);
  const second = await ask(fresh);
  if (second.status !== 401) return second;
  authorizer.forget(place, fresh);
  refuseBasic(fresh, second);
  return second;
}

/** A token that is refused says "absent or private"; a password that is refused says that it is wrong. */
function refuseBasic({ header }: Authorization, answer: Incoming): void {
  if (!header.startsWith("Basic ")) return;
  discardBody(answer);
  throw new GranaryError("unauthorized", `${answer.url.host} refused the configured credentials (401).`, {
    upstreamStatus: 401,
  });
}

async function send(
  transport: Transport,
  { kind, method, headers, signal }: Question,
  url: URL,
  authorization: Authorization | undefined,
): Promise<AuthorizedAnswer> {
  const withAuthorization = authorization && { authorization: authorization.header };
  const outgoing: Outgoing = { kind, method, url, headers: { ...headers, ...withAuthorization }, signal };
  return { ...(await transport.send(outgoing)), isAuthorized: authorization !== undefined };
}
