/** Owns which hosts the authority signs for: the names of the configured upstreams, by which clients address them. Pure. */
import { parseAuthority } from "../oci/host-port.ts";
import type { Upstream } from "../upstream/policy.ts";

type NamedUpstream = Pick<Upstream, "name" | "aliases">;

/**
 * Names and aliases without ports, in lower case, each once and sorted; addresses as they stand in certificates, IPv6 without brackets. A
 * certificate knows no ports: `registry.lab:5000` and `registry.lab:5001` are one host. Endpoints are not among them: Granary speaks to those
 * itself, and clients that mean them by their own name mean another registry.
 */
export function upstreamHosts(upstreams: readonly NamedUpstream[]): string[] {
  const hosts = upstreams.flatMap(({ name, aliases }) =>
    [name, ...aliases].flatMap((each) => parseAuthority(each)?.host ?? []),
  );
  return [...new Set(hosts)].sort();
}
