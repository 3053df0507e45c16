/**
 * Owns which answer a registry request gets: it is routed to a Target, and each kind of Target has its route. request-listener.ts does
 * what comes before that (methods, logins) and answers failures; each route has its own file.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Asker, Mirror } from "../../mirror/mirror.ts";
import type { Observers } from "../../observe/observers.ts";
import { withoutUserInfo } from "../../oci/redact.ts";
import type { Records } from "../../records/records.ts";
import type { RecordedRequest } from "../../records/request-record.ts";
import type { createRouter, Route } from "../../routing/routing.ts";
import type { Target } from "../../routing/target.ts";
import type { Upstream } from "../../upstream/policy.ts";
import type { BufferPool } from "../answers/buffer-pool.ts";
import { API_VERSION, type HeaderList, respond } from "../answers/respond.ts";
import type { Sending } from "../answers/sending.ts";
import type { Account } from "../request-log.ts";
import { answerBlob } from "./blob-route.ts";
import type { RequestTarget } from "./incoming-request.ts";
import { answerReferrers, answerTags } from "./list-routes.ts";
import type { LoginCheck } from "./login.ts";
import { answerManifest } from "./manifest-route.ts";
import type { RegistryRequest } from "./registry-request.ts";

/** What is not readonly here changes when settings change, from one request to the next. */
export type RegistryParts = Observers & {
  readonly mirror: Mirror;
  readonly pool: BufferPool;
  readonly sending: Sending;
  /** Name of the upstream that this listener implies. */
  listenerUpstream: string;
  /** See RouteInput. */
  readonly isAddressed?: boolean;
  router: ReturnType<typeof createRouter>;
  upstreams: ReadonlyMap<string, Pick<Upstream, "names" | "policy">>;
  /** Undefined where no login is asked for: what a client shows then is for the registry (docs/protocol.md#own-logins). */
  login: LoginCheck | undefined;
  readonly records: Records;
};

/** The answer of the base endpoint, by which clients see that this is a registry. */
export const BASE_TYPE: readonly string[] = ["Content-Type", "application/json"];
export const BASE_BODY = "{}";

/** Throws what the router and the Mirror throw; a part of the body may have been sent by then. */
export function answerRegistry(
  parts: RegistryParts,
  { incoming, outgoing, account }: { incoming: IncomingMessage; outgoing: ServerResponse; account: Account },
  requestTarget: RequestTarget,
): Promise<void> | void {
  const { mirror, metrics, clock, pool, sending, router, listenerUpstream, upstreams, login, records } =
    parts;
  const { isAddressed } = parts;
  const { "user-agent": userAgent, host: hostHeader, authorization } = incoming.headers;
  const route = router({ ...requestTarget, listenerUpstream, isAddressed, hostHeader });
  account.upstream = route.upstream;
  account.kind = route.target?.kind ?? "base";
  if (route.target !== undefined)
    account.record = records.open({
      ...recordedOf(route.target, incoming.method === "HEAD"),
      client: account.client,
      userAgent,
    });
  if (route.overruledNs !== undefined) tellOverruled(parts, route.overruledNs, route.upstream);
  return answerRoute({
    mirror,
    metrics,
    clock,
    pool,
    sending,
    incoming,
    outgoing,
    account,
    route,
    rawPath: requestTarget.rawPath,
    asker: askerOf(
      account,
      userAgent,
      login === undefined ? { loggedIn: false, authorization } : { loggedIn: true },
    ),
    headers: commonHeaders(route),
    isOllama: upstreams.get(route.upstream)?.names === "ollama",
  });
}

/** What the records keep of a request, but for who sent it. */
export function recordedOf(target: Target, isHead: boolean): Omit<RecordedRequest, "client" | "userAgent"> {
  const { kind, upstream, repository } = target;
  return {
    upstream,
    repository,
    isHead,
    kind: kind === "manifest" || kind === "blob" ? kind : "list",
    reference: kind === "manifest" ? target.reference : kind === "blob" ? target : undefined,
  };
}

/** Either the face has verified a login of its own, or this is what the client showed for the registry itself, if anything. */
export type ClientLogin =
  | { readonly loggedIn: true }
  | { readonly loggedIn: false; readonly authorization: string | undefined };

/** Who asks, as the Mirror wants to know it. A login of Granary is for no registry, so it goes no further. */
export function askerOf(
  { client, record }: Account,
  userAgent: string | undefined,
  login: ClientLogin,
): Asker {
  const { loggedIn } = login;
  const authorization = login.loggedIn ? undefined : login.authorization;
  const pull = record?.pull;
  const id = pull?.id;
  return {
    ...{ loggedIn, authorization, userAgent, client, tag: pull?.tag },
    pull: id === undefined ? undefined : String(id),
  };
}

function tellOverruled({ log }: RegistryParts, ns: string, upstream: string): void {
  const message = "the path and ns name different upstreams; the path counts";
  log.info({ ns: withoutUserInfo(ns), upstream }, message);
}

/** The headers of every answer of a route. */
export function commonHeaders({ ns, upstream }: Route): HeaderList {
  const headers = [...API_VERSION];
  // Which registry answered, for those who asked by ns (distribution-spec, "Registry Proxying").
  if (ns !== undefined) headers.push("OCI-Namespace", upstream);
  return headers;
}

function answerRoute(request: RegistryRequest): Promise<void> | void {
  const { target } = request.route;
  switch (target?.kind) {
    case undefined:
      request.headers.push(...BASE_TYPE);
      return respond(request, 200, request.headers, BASE_BODY);
    case "manifest":
      return answerManifest(request, target);
    case "blob":
      return answerBlob(request, target);
    case "tags":
      return answerTags(request, target);
    case "referrers":
      return answerReferrers(request, target);
  }
}
