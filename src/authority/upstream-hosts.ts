/** Owns which hosts the authority signs for: the names of the configured upstreams, by which clients address them. Pure. */
import type { Upstream } from "../upstream/policy.ts";

type NamedUpstream = Pick<Upstream, "name" | "aliases">;

/**
 * Names and aliases without ports, in lower case, each once and sorted; addresses as they stand in certificates, IPv6 without brackets. A
 * certificate knows no ports: `registry.lab:5000` and `registry.lab:5001` are one host. Endpoints are not among them: Granary speaks to those
 * itself, and clients that mean them by their own name mean another registry.
 */
export function upstreamHosts(upstreams: readonly NamedUpstream[]): string[] {
  const hosts = upstreams.flatMap(({ name, aliases }) => [name, ...aliases].map(hostOf));
  return [...new Set(hosts.filter((host) => host !== ""))].sort();
}

/** Empty for what is no host. */
function hostOf(name: string): string {
  return (URL.parse(`https://${name}`)?.hostname ?? "").replace(/^\[|\]$/g, "");
}
