/**
 * Owns which requests can be known by their bytes: for one that may be answered at once, what Node and the router made of it. The same bytes
 * mean the same request on every connection. It holds no answer and no permission, and is never made of a request with a login.
 */
import type { IncomingMessage } from "node:http";
import type { Route } from "../../routing/routing.ts";
import type { ManifestTarget } from "../../routing/target.ts";
import { type ShownRequest, shownRequest } from "../request-log.ts";
import { parseAccept } from "./accept-header.ts";
import { faultOf, hasBody, splitRequestTarget } from "./incoming-request.ts";
import type { RegistryParts } from "./registry-routes.ts";

export type KnownRequest = {
  readonly shown: ShownRequest;
  readonly userAgent: string | undefined;
  readonly accept: readonly string[];
  /** Its If-None-Match. */
  readonly condition: string | undefined;
  readonly isHead: boolean;
  readonly route: Route;
  /** Undefined for the base endpoint. */
  readonly target: ManifestTarget | undefined;
  /** Who made the route, and for which listener: settings can replace both. */
  readonly router: RegistryParts["router"];
  readonly listenerUpstream: string;
};

/** Headers by which a request wants something else of the connection, or says who sends it. */
const UNUSUAL = ["authorization", "connection", "expect", "upgrade"];

/** undefined for a request that has to go all the way (request-listener.ts). */
export function knownRequest(incoming: IncomingMessage, parts: RegistryParts): KnownRequest | undefined {
  const { method, headers, httpVersion } = incoming;
  if ((method !== "GET" && method !== "HEAD") || httpVersion !== "1.1") return undefined;
  if (UNUSUAL.some((name) => headers[name] !== undefined)) return undefined;
  if (hasBody(incoming) || faultOf(incoming) !== undefined) return undefined;
  const route = routeOf(incoming, parts);
  const target = route?.target;
  if (route === undefined || route.overruledNs !== undefined) return undefined;
  if (target !== undefined && target.kind !== "manifest") return undefined;
  const { router, listenerUpstream } = parts;
  return {
    ...{ route, target, router, listenerUpstream },
    shown: shownRequest(incoming),
    userAgent: headers["user-agent"],
    accept: parseAccept(headers.accept),
    condition: headers["if-none-match"],
    isHead: method === "HEAD",
  };
}

function routeOf({ url = "/", headers }: IncomingMessage, parts: RegistryParts): Route | undefined {
  const target = splitRequestTarget(url);
  const { router, listenerUpstream } = parts;
  try {
    return target && router({ ...target, listenerUpstream, hostHeader: headers.host });
  } catch {
    // The request is being refused for it.
    return undefined;
  }
}
