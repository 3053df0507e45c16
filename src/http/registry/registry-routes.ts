/**
 * Owns the way of a registry request: writes refused, bodies drained, login checked, routed, answered, and every failure
 * turned into the registry's own error form (docs/protocol.md#error-bodies). What an answer looks like is each route's own file's.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { isGranaryError, messageOf } from "../../errors.ts";
import type { Log } from "../../observe/log.ts";
import { formatErrorBody } from "../../oci/error-body.ts";
import { withoutUserInfo } from "../../oci/redact.ts";
import type { createRouter, Route } from "../../routing/routing.ts";
import type { Upstream } from "../../upstream/policy.ts";
import { errorAnswer, type RequestKind } from "../answers/error-answer.ts";
import { API_VERSION, type HeaderList, respond, respondJson } from "../answers/respond.ts";
import type { Account, Exchange, Services } from "../exchange.ts";
import { answerBlob } from "./blob-route.ts";
import { drainBody, hasBody } from "./drain-body.ts";
import { answerReferrers, answerTags } from "./list-routes.ts";
import { refuseClient } from "./login.ts";
import { answerManifest } from "./manifest-route.ts";
import { splitRequestTarget } from "./request-target.ts";

export type RegistryRoutes = Services & {
  readonly log: Log;
  /** Name of the upstream that this listener implies. */
  readonly listenerUpstream: string;
  readonly router: ReturnType<typeof createRouter>;
  readonly upstreams: ReadonlyMap<string, Pick<Upstream, "names" | "policy">>;
  /** Undefined where no login is asked for: Authorization is then never looked at (docs/protocol.md#docker-logins). */
  readonly checkLogin: ((authorization: string | undefined) => boolean) | undefined;
};

/** Answers one request. Never throws, never leaves a response open unless the client left. */
export async function answerRegistry(
  routes: RegistryRoutes,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  account: Account,
): Promise<void> {
  try {
    if (hasBody(incoming) && !(await drainBody(incoming))) outgoing.shouldKeepAlive = false;
    if (incoming.method !== "GET" && incoming.method !== "HEAD") return refuseMethod(outgoing);
    if (routes.checkLogin?.(incoming.headers.authorization) === false) return refuseClient(outgoing);
    await answerRouted(routes, incoming, outgoing, account);
  } catch (error) {
    answerError(routes, incoming, outgoing, account, error);
  }
}

function answerRouted(
  routes: RegistryRoutes,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  account: Account,
): Promise<void> | void {
  const { listenerUpstream, router, log } = routes;
  const requestTarget = splitRequestTarget(incoming.url ?? "/");
  const route = router({ ...requestTarget, listenerUpstream, hostHeader: incoming.headers.host });
  account.upstream = route.upstream;
  account.kind = route.target?.kind ?? "base";
  if (route.overruledNs !== undefined) {
    log.info(
      { ns: withoutUserInfo(route.overruledNs), upstream: route.upstream },
      "the path names another upstream than ns; the path wins",
    );
  }
  const { mirror, metrics, clock, pool } = routes;
  return answerRoute({
    mirror,
    metrics,
    clock,
    pool,
    incoming,
    outgoing,
    account,
    route,
    rawPath: requestTarget.rawPath,
    asker: { loggedIn: routes.checkLogin !== undefined, userAgent: incoming.headers["user-agent"] },
    headers: commonHeaders(route),
    isOllama: routes.upstreams.get(route.upstream)?.names === "ollama",
  });
}

function commonHeaders({ ns, upstream }: Route): HeaderList {
  const headers = [...API_VERSION];
  // Which registry answered, for those who asked by ns (distribution-spec, "Registry Proxying").
  if (ns !== undefined) headers.push("OCI-Namespace", upstream);
  return headers;
}

function answerRoute(exchange: Exchange): Promise<void> | void {
  const { target } = exchange.route;
  switch (target?.kind) {
    case undefined:
      exchange.headers.push("Content-Type", "application/json");
      return respond(exchange.outgoing, 200, exchange.headers, "{}");
    case "manifest":
      return answerManifest(exchange, target);
    case "blob":
      return answerBlob(exchange, target);
    case "tags":
      return answerTags(exchange, target);
    case "referrers":
      return answerReferrers(exchange, target);
  }
}

function refuseMethod(outgoing: ServerResponse): void {
  const body = formatErrorBody("UNSUPPORTED", "this is a read-only mirror; push to the registry itself");
  respondJson(outgoing, 405, body, ["Allow", "GET, HEAD"]);
}

function answerError(
  { log, metrics, upstreams }: RegistryRoutes,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  account: Account,
  error: unknown,
): void {
  if (isGranaryError(error, "aborted") && outgoing.destroyed) return;
  account.outcome = "error";
  account.reason = messageOf(error);
  if (isGranaryError(error, "route-unknown")) metrics.routeUnknown.inc();
  if (!isGranaryError(error)) log.error({ err: error }, "a request failed in a way that it never should");
  if (outgoing.headersSent) {
    // Part of a body is out: ending it would make it look whole (F18).
    outgoing.destroy();
    return;
  }
  const kind = account.kind === "other" ? kindOf(incoming.url ?? "") : account.kind;
  const policy = upstreams.get(account.upstream ?? "")?.policy;
  const answer = errorAnswer(error, { kind, rateLimitedStatus: policy?.rateLimitedStatus ?? 429 });
  const retry = answer.retryAfterSeconds;
  const headers = retry === undefined ? [] : ["Retry-After", String(retry)];
  respondJson(outgoing, answer.status, answer.body, headers, answer.contentType);
}

/**
 * A tag that cannot exist ends before it is a Target, and must be MANIFEST_UNKNOWN all the same (docs/protocol.md#names,
 * docs/protocol.md#podman-and-skopeo).
 */
function kindOf(url: string): RequestKind {
  return /\/manifests\/[^/?]*(?:\?|$)/.test(url) ? "manifest" : "other";
}
