/**
 * Owns how a request of a client is handed to the registry that the client addressed, with the client's own login in it, and how the answer comes
 * back. It must never add a login or a certificate of ours, follow a redirect, or send anything to another host than that registry's endpoint.
 */
import type { Duplex } from "node:stream";
import { GranaryError } from "../../errors.ts";
import type { Upstream } from "../policy.ts";
import { relayPath } from "../registry-url.ts";
import type { Caller } from "./caller.ts";
import { namedEndpoints } from "./endpoints.ts";
import type { Relayed, RelayedAnswer, Transport } from "./transport.ts";

export type RelayAsk = Pick<Relayed, "method" | "headers" | "body" | "signal"> & {
  /** The name by which the client addressed the registry; with a port where that is not 443. */
  readonly host: string;
  /** Path and query, as the client wrote them. */
  readonly path: string;
};

type RelayParts = {
  readonly upstream: Upstream;
  readonly transport: Pick<Transport, "relay" | "connect">;
  readonly caller: Pick<Caller, "isAway">;
};

/** A connection to the registry that is addressed as `host`, on which nothing was sent. Throws as `relay`. */
export async function connectAddressed(
  { upstream, transport, caller }: RelayParts,
  host: string,
  signal: AbortSignal,
): Promise<Duplex> {
  if (caller.isAway) throw isAwayNow(upstream);
  return await transport.connect(new URL(addressedEndpoint(upstream, host)), signal);
}

/** Throws what the transport throws, and `upstream-unavailable` at once while the upstream is known to be away. */
export async function relay(
  { upstream, transport, caller }: RelayParts,
  ask: RelayAsk,
): Promise<RelayedAnswer> {
  if (caller.isAway) throw isAwayNow(upstream);
  const { host, path, ...rest } = ask;
  const endpoint = addressedEndpoint(upstream, host);
  const answer = await transport.relay({
    ...rest,
    origin: new URL(endpoint),
    path: relayPath(endpoint, path),
  });
  return { ...answer, headers: towardsClient(answer.headers, new URL(endpoint).origin, `https://${host}`) };
}

/** The endpoint that has the name which the client addressed. Others may be mirrors of it, and a client's login is not for those. */
function addressedEndpoint({ endpoints }: Pick<Upstream, "endpoints">, host: string): string {
  return (
    endpoints.find((each) => new URL(each).host === host) ??
    namedEndpoints(endpoints, [host])[0] ??
    `https://${host}`
  );
}

function isAwayNow({ name }: Upstream): GranaryError {
  return new GranaryError("upstream-unavailable", `${name} does not answer now.`);
}

/** A Location on the endpoint is one on the host that the client knows: it cannot reach the endpoint by another name. */
function towardsClient(headers: readonly string[], endpoint: string, host: string): string[] {
  return headers.map((text, index) => {
    const isLocation = index % 2 === 1 && headers[index - 1]?.toLowerCase() === "location";
    return isLocation && isBelow(text, endpoint) ? `${host}${text.slice(endpoint.length)}` : text;
  });
}

function isBelow(url: string, origin: string): boolean {
  return url.startsWith(origin) && /^(?:[/?#]|$)/.test(url.slice(origin.length));
}
