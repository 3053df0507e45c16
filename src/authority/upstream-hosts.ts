/** Owns which hosts the authority signs for: those by which clients and Granary reach the configured upstreams. Pure. */
import type { Upstream } from "../upstream/policy.ts";

type ReachedHosts = Pick<Upstream, "name" | "aliases" | "endpoints">;

/**
 * Names, aliases and hosts of endpoints, without ports, in lower case, each once and sorted; addresses as they stand in certificates, IPv6
 * without brackets. A certificate knows no ports: `registry.lab:5000` and `registry.lab:5001` are one host.
 */
export function upstreamHosts(upstreams: readonly ReachedHosts[]): string[] {
  const hosts = upstreams.flatMap(({ name, aliases, endpoints }) => [
    ...[name, ...aliases].map((each) => hostOf(`https://${each}`)),
    ...endpoints.map(hostOf),
  ]);
  return [...new Set(hosts.filter((host) => host !== ""))].sort();
}

/** Empty for what is no URL. */
function hostOf(url: string): string {
  return (URL.parse(url)?.hostname ?? "").replace(/^\[|\]$/g, "");
}
