/**
 * Owns what a request meets whose client addressed an upstream itself, through the proxy or by its name: what reads content is answered by the
 * cache, and all else by the registry, as if nothing stood between. What the cache may not give this client, or does not have, is the
 * registry's to answer too: its own refusal and challenge, its own 404.
 */
import { isGranaryError } from "../../errors.ts";
import type { Relaying } from "../../mirror/relaying.ts";
import type { Timer } from "../../observe/clock.ts";
import { type Challenge, parseChallenges } from "../../oci/challenge.ts";
import type { Target } from "../../routing/target.ts";
import type { RelayedAnswer } from "../../upstream/network/relayed.ts";
import type { RequestListener } from "../connections/turns.ts";
import {
  faultOf,
  hasBody,
  NO_TARGET,
  type RequestTarget,
  splitRequestTarget,
} from "../registry/incoming-request.ts";
import { loopFault } from "../registry/own-requests.ts";
import { answerRegistry } from "../registry/registry-routes.ts";
import {
  answerFailure,
  type FaceParts,
  type OpenRequest,
  openRequest,
  refuseMalformed,
} from "../request-listener.ts";
import { type RelayParts, relayRequest } from "./relay-request.ts";
import type { SentPlaces } from "./sent-places.ts";

export type InterceptedParts = FaceParts & {
  readonly relaying: Relaying;
  /** See NamedParts. */
  readonly sentPlaces?: SentPlaces;
  /** `host[:port]` as the client addressed it. */
  readonly host: string;
};

/** It throws nothing, and leaves no response open unless its client left. */
export function createInterceptedListener(parts: InterceptedParts): RequestListener {
  return (incoming, outgoing) => void answer(parts, openRequest(parts.requests, incoming, outgoing));
}

async function answer(parts: InterceptedParts, request: OpenRequest): Promise<void> {
  const { incoming, account } = request;
  try {
    const target = splitRequestTarget(incoming.url ?? "/");
    const fault =
      target === undefined
        ? NO_TARGET
        : (faultOf(incoming) ?? loopFault(incoming, parts.listenerUpstream, parts.ownRequests));
    if (target === undefined || fault !== undefined) return refuseMalformed(request, fault ?? NO_TARGET);
    account.seen = parts.records.clients.asks(account.client, incoming.headers["user-agent"]);
    account.upstream = parts.listenerUpstream;
    if (isBase(target)) return await answerBase(parts, request, target);
    const failure = reads(request, target) ? await answerFromCache(parts, request, target) : undefined;
    if (failure === DONE) return;
    if (failure !== undefined && !isRegistrys(failure, request)) throw failure;
    const content = targetOf(parts, target);
    await relayRequest(
      relayParts(parts),
      request,
      isReading(request) ? { reads: content } : { changes: content },
    );
  } catch (error) {
    answerFailure(parts, request, error);
  }
}

/** The cache can be asked. A body with it means something that the cache does not know. */
function reads(request: OpenRequest, { rawPath }: RequestTarget): boolean {
  return isReading(request) && rawPath.startsWith("/v2/") && !hasBody(request.incoming);
}

function isReading({ incoming }: OpenRequest): boolean {
  return incoming.method === "GET" || incoming.method === "HEAD";
}

function isBase({ rawPath }: RequestTarget): boolean {
  return rawPath === "/v2/" || rawPath === "/v2";
}

/** Docker waits fifteen seconds for the base. Once it is known that the registry is away, nothing waits (relay.ts). */
const BASE_MS = 10_000;

/**
 * The registry's own: its challenge tells the client where to get a token. Where it does not answer, or is in trouble, or where nobody is to be reached
 * there, a client that asks for no login may go on, and is served what everybody may have.
 */
async function answerBase(
  parts: InterceptedParts,
  request: OpenRequest,
  target: RequestTarget,
): Promise<void> {
  const mayGoOn = isReading(request) && request.incoming.headers.authorization === undefined;
  if (!mayGoOn) return await relayRequest(relayParts(parts), request, {});
  const waiting = new AbortController();
  const stop = whenSilent(parts, () => waiting.abort());
  try {
    const isNone = async (answer: RelayedAnswer) => isTrouble(answer) || (await leadsNowhere(parts, answer));
    await relayRequest(relayParts(parts), request, {}, { signal: waiting.signal, isNone });
  } catch (error) {
    const isAway = isGranaryError(error, "upstream-unavailable", "upstream-protocol", "aborted");
    if (!isAway || request.outgoing.headersSent) throw error;
    await answerRegistry(parts, request, target);
  } finally {
    stop();
  }
}

/** A registry or a front end that cannot answer now, or wants to be asked later. */
function isTrouble({ status }: RelayedAnswer): boolean {
  return status >= 500 || status === 429 || status === 408;
}

/** Each is asked; registries have one. */
const MOST_TOKEN_SERVERS = 4;

/**
 * A challenge whose token servers are all away. Judged only for clients that reach them through this proxy: others may have a way of their own.
 */
async function leadsNowhere(
  { relaying, listenerUpstream, sentPlaces }: InterceptedParts,
  { status, headers }: RelayedAnswer,
): Promise<boolean> {
  if (status !== 401 || sentPlaces === undefined) return false;
  const challenges = headers.filter(
    (_, at) => headers[at - 1]?.toLowerCase() === "www-authenticate" && at % 2 === 1,
  );
  const servers = challenges.flatMap(parseChallenges).flatMap((challenge) => tokenServerOf(challenge) ?? []);
  if (servers.length === 0 || servers.length > MOST_TOKEN_SERVERS) return false;
  const away = servers.map((server) => relaying.isTokenServerAway(listenerUpstream, server));
  return (await Promise.all(away)).every((isAway) => isAway);
}

/** With the service, as every client asks: a server may fail without it. */
function tokenServerOf({ parameters }: Challenge): URL | undefined {
  const [realm, service] = [URL.parse(parameters.get("realm") ?? ""), parameters.get("service")];
  if (realm !== null && service !== undefined) realm.searchParams.set("service", service);
  return realm ?? undefined;
}

/** Calls `run` once the registry has not answered for BASE_MS, and answers nothing else either. The returned function takes that back. */
function whenSilent(
  { clock, listenerUpstream, relaying, host }: InterceptedParts,
  run: () => void,
): () => void {
  const look = () => {
    // On a slow line, or where a registry takes few connections, the question has to wait for its turn.
    if (!relaying.isServing(listenerUpstream, host)) return run();
    timer = clock.after(BASE_MS, look);
  };
  let timer: Timer = clock.after(BASE_MS, look);
  return () => timer.cancel();
}

/** The cache has answered. */
const DONE = Symbol("done");

/** DONE, or why the cache did not answer; nothing was sent then. Throws what went wrong after that. */
async function answerFromCache(
  parts: InterceptedParts,
  request: OpenRequest,
  target: RequestTarget,
): Promise<unknown> {
  try {
    await answerRegistry(parts, request, target);
    return DONE;
  } catch (error) {
    if (request.outgoing.headersSent) throw error;
    return error;
  }
}

/** True where the registry itself is to answer: this client may see more than we, or has to be told by the registry what it may not. */
function isRegistrys(failure: unknown, { incoming }: OpenRequest): boolean {
  if (isGranaryError(failure, "not-found", "unauthorized", "upstream-refused")) return true;
  if (isGranaryError(failure, "denied")) return failure.facts.upstreamStatus !== undefined;
  // A limit is on whoever asks: who has a login has a limit of its own.
  return isGranaryError(failure, "rate-limited") && incoming.headers.authorization !== undefined;
}

function targetOf({ router, listenerUpstream }: InterceptedParts, target: RequestTarget): Target | undefined {
  try {
    return router({ ...target, listenerUpstream, isAddressed: true, hostHeader: undefined }).target;
  } catch (error) {
    if (isGranaryError(error)) return undefined; // It is no content, so no rule speaks of it.
    throw error;
  }
}

function relayParts({
  relaying,
  sentPlaces,
  listenerUpstream: upstream,
  host,
}: InterceptedParts): RelayParts {
  return { relaying, upstream, host, ...(sentPlaces !== undefined && { sentPlaces }) };
}
