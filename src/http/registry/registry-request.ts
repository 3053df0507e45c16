/**
 * Owns the RegistryRequest: one request after routing, with everything that answering it needs. The routes read it, add headers to it, and
 * make from it the URLs that answers carry.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Asker, Mirror } from "../../mirror/mirror.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Metrics } from "../../observe/metrics.ts";
import type { Route } from "../../routing/routing.ts";
import type { BufferPool } from "../answers/buffer-pool.ts";
import type { HeaderList } from "../answers/respond.ts";
import type { Sending } from "../answers/sending.ts";
import type { Account } from "../request-log.ts";

export type RegistryRequest = {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly account: Account;
  readonly asker: Asker;
  readonly route: Route;
  /** The path as the client wrote it, in the convention it used. */
  readonly rawPath: string;
  /** Headers of the answer so far: those of every answer, then those that the route adds. */
  readonly headers: HeaderList;
  /** True when the upstream is an Ollama registry. */
  readonly isOllama: boolean;
  readonly mirror: Mirror;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly pool: BufferPool;
  readonly sending: Sending;
};

/**
 * The URL of this same thing, for Location and Link: path only, because schemes and hosts differ behind proxies, and in the naming
 * convention that the client used, so that following it reaches the same upstream (docs/protocol.md#ollama-probe,
 * docs/protocol.md#tag-lists). `query` is that of another page of it.
 */
export function ownUrl({ rawPath, route }: RegistryRequest, query = ""): string {
  const ns = route.ns === undefined ? "" : `ns=${encodeURIComponent(route.ns)}`;
  const parameters = [query, ns].filter((text) => text !== "");
  return parameters.length === 0 ? rawPath : `${rawPath}?${parameters.join("&")}`;
}
