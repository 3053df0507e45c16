/**
 * Owns how a request of a client is handed to the registry that the client addressed, with the client's own login in it, and how the answer comes
 * back. It must never add a login or a certificate of ours, follow a redirect, or send anything to another host than that registry's endpoint.
 */
import type { Duplex } from "node:stream";
import { GranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import { sleep } from "../../waiting/sleep.ts";
import type { Upstream } from "../policy.ts";
import { relayPath } from "../registry-url.ts";
import { type Caller, retryDelay } from "./caller.ts";
import { namedEndpoints } from "./endpoints.ts";
import type { Relayed, RelayedAnswer } from "./relayed.ts";
import type { Transport } from "./transport.ts";

export type RelayAsk = Pick<Relayed, "method" | "headers" | "body" | "signal"> & {
  /** The name by which the client addressed the registry; with a port where that is not 443. */
  readonly host: string;
  /** Path and query, as the client wrote them. */
  readonly path: string;
};

type RelayParts = {
  readonly upstream: Upstream;
  readonly transport: Pick<Transport, "relay" | "connect" | "isServing">;
  readonly caller: Pick<Caller, "isAway">;
  readonly clock: Clock;
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

export function isServing({ upstream, transport }: RelayParts, host: string): boolean {
  return transport.isServing(new URL(addressedEndpoint(upstream, host)));
}

/**
 * Throws what the transport throws, and `upstream-unavailable` at once while the upstream is known to be away. What has no body and changes nothing
 * is sent again where that can help, as our own questions are: a line that loses connections loses those of clients too.
 */
export async function relay(parts: RelayParts, ask: RelayAsk): Promise<RelayedAnswer> {
  const { upstream, caller, clock } = parts;
  const endpoint = addressedEndpoint(upstream, ask.host);
  const begunAt = clock.elapsed();
  for (let attempt = 1; ; attempt++) {
    if (caller.isAway) throw isAwayNow(upstream);
    try {
      return await relayOnce(parts, ask, endpoint);
    } catch (error) {
      const tried = { attempt, spentMs: clock.elapsed() - begunAt, chance: Math.random() };
      const delayMs = isRepeatable(ask) ? retryDelay(error, tried) : undefined;
      if (delayMs === undefined) throw error;
      await sleep(delayMs, clock, ask.signal);
    }
  }
}

async function relayOnce(
  { transport }: RelayParts,
  { host, path, ...rest }: RelayAsk,
  endpoint: string,
): Promise<RelayedAnswer> {
  const origin = new URL(endpoint);
  const answer = await transport.relay({ ...rest, origin, path: relayPath(endpoint, path) });
  return { ...answer, headers: towardsClient(answer.headers, origin.origin, `https://${host}`) };
}

/** RFC 9110, 9.2.2, and no body that could be read only once. */
function isRepeatable({ method, body }: RelayAsk): boolean {
  return body === undefined && ["GET", "HEAD", "OPTIONS"].includes(method);
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
