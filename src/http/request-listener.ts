/**
 * Owns the steps that a request goes through, in this order, and answers every failure on the way. Before them come the limit on
 * connections (connections/admission.ts) and the turn of the request on its connection (connections/turns.ts).
 *
 *    1. its Account is opened: it will be counted, and have a line in the log
 *    2. refused if it cannot be understood, or is our own     registry/incoming-request.ts, registry/own-requests.ts
 *    3. a body that it brings is taken off the connection     registry/incoming-request.ts
 *    4. refused if it wants to write: this mirror is read-only
 *    5. /healthz and /readyz, which need no login             admin/status-pages.ts
 *    6. the login, where the listener asks for one            registry/login.ts
 *    7. /metrics                                              admin/status-pages.ts
 *    8. the registry: routed to a Target, answered            registry/registry-routes.ts
 *    9. a failure of any of these becomes the registry's own form of an error
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { isGranaryError, messageOf, reasonOf } from "../errors.ts";
import { failureFacts } from "../records/cause.ts";
import { createStatusPages, type StatusPages, statusPageOf } from "./admin/status-pages.ts";
import { errorAnswer } from "./answers/error-answer.ts";
import { refuse, respondError } from "./answers/respond.ts";
import {
  drainBody,
  type Fault,
  faultOf,
  hasBody,
  NO_TARGET,
  splitRequestTarget,
} from "./registry/incoming-request.ts";
import { refuseClient } from "./registry/login.ts";
import { loopFault, type OwnRequests } from "./registry/own-requests.ts";
import { answerRegistry, type RegistryParts } from "./registry/registry-routes.ts";
import {
  type Account,
  type RequestLog,
  type RequestOutcome,
  type RouteKind,
  shownRequest,
} from "./request-log.ts";

export type FaceParts = RegistryParts & {
  readonly requests: RequestLog;
  readonly ownRequests: OwnRequests;
};

export type OpenRequest = {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly account: Account;
};

/** Makes the request listener of one port. It throws nothing, and leaves no response open unless its client left. */
export function createRequestListener(
  parts: FaceParts,
): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  const statusPages = createStatusPages(parts);
  const { requests } = parts;
  return (incoming, outgoing) => {
    void answer(parts, statusPages, openRequest(requests, incoming, outgoing));
  };
}

/** Its Account is closed when its connection has no more of the answer to come, and what went out is counted. */
export function openRequest(
  requests: RequestLog,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): OpenRequest {
  const account = requests.open(incoming.socket.remoteAddress);
  const close = () => {
    const status = outgoing.headersSent ? outgoing.statusCode : 0;
    requests.close(account, { status, isWhole: outgoing.writableFinished }, () => shownRequest(incoming));
  };
  outgoing.on("close", () => {
    if (account.body === undefined) close();
    else void account.body.then(close, close);
  });
  return { incoming, outgoing, account };
}

async function answer(parts: FaceParts, statusPages: StatusPages, request: OpenRequest): Promise<void> {
  const { incoming, outgoing, account } = request;
  const { login } = parts;
  try {
    const target = splitRequestTarget(incoming.url ?? "/");
    const fault = faultOf(incoming) ?? loopFault(incoming, parts.listenerUpstream, parts.ownRequests);
    if (target === undefined || fault !== undefined) return refuseMalformed(request, fault ?? NO_TARGET);
    if (hasBody(incoming) && !(await drainBody(incoming))) outgoing.shouldKeepAlive = false;
    const page = target.absoluteHost === undefined ? statusPageOf(target.rawPath) : undefined;
    if (page === undefined)
      account.seen = parts.records.clients.asks(account.client, incoming.headers["user-agent"]);
    if (incoming.method !== "GET" && incoming.method !== "HEAD") return refuseMethod(request);
    if (page !== undefined) account.kind = "status";
    const needsLogin = page?.isOpen !== true;
    if (needsLogin && login?.allows(incoming.headers.authorization) === false) return refuseClient(request);
    if (page !== undefined) return await statusPages(incoming, outgoing);
    await answerRegistry(parts, request, target);
  } catch (error) {
    answerFailure(parts, request, error);
  }
}

export function refuseMalformed(request: OpenRequest, [status, code, message]: Fault): void {
  // A body that it may have is not taken off the connection.
  request.outgoing.shouldKeepAlive = false;
  refuse(request, status, [code, message]);
}

function refuseMethod(request: OpenRequest): void {
  const message = "this is a read-only mirror; push to the registry itself";
  refuse(request, 405, ["UNSUPPORTED", message], ["Allow", "GET, HEAD"]);
}

/** Ends the response, whatever was sent of it. */
export function answerFailure(
  { log, metrics, upstreams }: FaceParts,
  request: OpenRequest,
  error: unknown,
): void {
  const { incoming, outgoing, account } = request;
  // The client left. request-log.ts sees that by itself.
  if (isGranaryError(error, "aborted") && outgoing.destroyed) return;
  account.reason = messageOf(error);
  account.plainReason = reasonOf(error);
  account.cause = failureFacts(error);
  if (isGranaryError(error, "route-unknown")) metrics.routeUnknown.inc();
  if (!isGranaryError(error)) log.error({ err: error }, "a request failed with an unexpected error");
  if (outgoing.headersSent) {
    // Part of a body is out: ending it would make it look whole (F18).
    account.outcome = "error";
    outgoing.destroy();
    return;
  }
  const kind = account.kind === "other" ? kindOf(incoming.url ?? "") : account.kind;
  const policy = upstreams.get(account.upstream ?? "")?.policy;
  const answer = errorAnswer(error, { kind, rateLimitedStatus: policy?.rateLimitedStatus ?? 429 });
  account.outcome = outcomeOf(error, answer.status);
  const retry = answer.retryAfterSeconds;
  const headers = retry === undefined ? [] : ["Retry-After", String(retry)];
  respondError(request, answer, headers);
}

/** Only a failure of the upstream or of this mirror is an "error". */
function outcomeOf(error: unknown, status: number): RequestOutcome {
  if (isGranaryError(error, "not-found", "route-unknown")) return "absent";
  return status < 500 ? "refused" : "error";
}

/**
 * A tag that cannot exist ends before it is a Target, and must be MANIFEST_UNKNOWN all the same (docs/protocol.md#names,
 * docs/protocol.md#podman-and-skopeo).
 */
function kindOf(url: string): RouteKind {
  return /\/manifests\/[^/?]*(?:\?|$)/.test(url) ? "manifest" : "other";
}
