/**
 * Owns the URLs of ours that answers carry (Location, Link): path only, because schemes and hosts differ behind proxies,
 * and in the naming convention that the client used, so that following one reaches the same upstream
 * (docs/protocol.md#ollama-probe, docs/protocol.md#tag-lists). Pure.
 */
import type { Exchange } from "../exchange.ts";

export function ownUrl({ rawPath, route }: Pick<Exchange, "rawPath" | "route">, query = ""): string {
  const ns = route.ns === undefined ? "" : `ns=${encodeURIComponent(route.ns)}`;
  const parameters = [query, ns].filter((text) => text !== "");
  return parameters.length === 0 ? rawPath : `${rawPath}?${parameters.join("&")}`;
}
