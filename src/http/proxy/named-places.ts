/**
 * Owns which places are upstreams: their names and aliases, and no other host of theirs. An endpoint may be a mirror of several registries, and
 * means itself to a client. Pure.
 */

import { hostPortText, parseHostPort } from "../../routing/host-port.ts";
import type { Upstream } from "../../upstream/policy.ts";

/** Names of upstreams by `host:port`; a name without a port means 443. */
export function namedPlaces(
  upstreams: Iterable<Pick<Upstream, "name" | "aliases">>,
): ReadonlyMap<string, string> {
  const places = new Map<string, string>();
  for (const { name, aliases } of upstreams) {
    for (const each of [name, ...aliases]) {
      const place = parseHostPort(each) ?? parseHostPort(`${each}:443`);
      if (place !== undefined) places.set(hostPortText(place), name);
    }
  }
  return places;
}
