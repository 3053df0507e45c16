/**
 * Owns requests of clients that change the protocol of their connection: from there on it is a tunnel to the registry, which answers as it
 * likes. It must never become one for what reads content. A registry that cannot be had is a 502, and the log has the reason.
 */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { isGranaryError, messageOf } from "../../errors.ts";
import { splitRequestTarget } from "../registry/incoming-request.ts";
import { loopFault } from "../registry/own-requests.ts";
import { endToEnd } from "./hop-by-hop.ts";
import type { InterceptedParts } from "./intercepted-requests.ts";
import type { Tunnels } from "./tunnels.ts";

/** What reads content is the cache's to answer, and rules have to be able to judge it: there the wish is passed over. */
export function mayUpgrade({ method, url = "" }: IncomingMessage): boolean {
  const isReading = method === "GET" || method === "HEAD";
  return !isReading || splitRequestTarget(url)?.rawPath.startsWith("/v2/") !== true;
}

/** `head` is what came behind the request. Resolves when the tunnel is over; throws nothing. */
export async function relayUpgrade(
  parts: InterceptedParts,
  tunnels: Tunnels,
  [incoming, socket, head]: readonly [IncomingMessage, Socket, Buffer],
): Promise<void> {
  const { listenerUpstream, ownRequests, relaying, host, log } = parts;
  const left = new AbortController();
  socket.on("error", () => socket.destroy());
  socket.once("close", () => left.abort());
  if (loopFault(incoming, listenerUpstream, ownRequests) !== undefined)
    return endWith(socket, "508 Loop Detected");
  try {
    const registry = await relaying.connect(listenerUpstream, host, left.signal);
    registry.write(headOf(incoming, host, ownRequests.via));
    await tunnels.join(socket, registry, head);
  } catch (error) {
    log.info({ upstream: listenerUpstream, reason: messageOf(error) }, "an upgrade failed");
    endWith(socket, isGranaryError(error, "denied") ? "403 Forbidden" : "502 Bad Gateway");
  }
}

/** The request again, for this registry, with the change of protocol that it asks for. */
function headOf({ method, url, rawHeaders }: IncomingMessage, host: string, via: string | undefined): string {
  const upgrade = rawHeaders.flatMap((text, index) =>
    index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === "upgrade" ? [`Upgrade: ${text}`] : [],
  );
  const kept = endToEnd(rawHeaders, ["host"]);
  const lines = kept.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${kept[index + 1]}`] : []));
  const own = via === undefined ? [] : [`Via: ${via}`];
  const first = [`${method} ${url} HTTP/1.1`, `Host: ${host}`, "Connection: Upgrade"];
  return `${[...first, ...upgrade, ...lines, ...own].join("\r\n")}\r\n\r\n`;
}

/** `status` with its phrase, without a body. */
export function endWith(socket: Duplex, status: string): void {
  if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
}
