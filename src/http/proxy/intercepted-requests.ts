/**
 * Owns what a request meets whose client addressed an upstream itself, through the proxy or by its name: what reads content is answered by the
 * cache, and all else by the registry, as if nothing stood between. What the cache may not give this client, or does not have, is the
 * registry's to answer too: its own refusal and challenge, its own 404.
 */
import { isGranaryError } from "../../errors.ts";
import type { Relaying } from "../../mirror/relaying.ts";
import type { Target } from "../../routing/target.ts";
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
import { answerBase } from "./registry-base.ts";
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
    if (isBase(target)) {
      const deputy = isReading(request) ? async () => answerRegistry(parts, request, target) : undefined;
      return await answerBase({ ...relayParts(parts), clock: parts.clock, deputy }, request);
    }
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
