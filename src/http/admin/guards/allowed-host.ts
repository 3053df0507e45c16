/**
 * Owns which `Host` a request to the admin face may name. A page of somebody else's name can be made to resolve to this machine (DNS
 * rebinding), and a browser then takes our answers for that page's own: so only addresses, localhost, and names that the settings list are
 * let in. Pure.
 */
import { isIP } from "node:net";

/** `host` as in the header; the port does not matter, because it may be published under another. `names` in lower case. */
export function isAllowedHost(host: string | undefined, names: readonly string[]): boolean {
  const name = hostName(host ?? "");
  if (name === undefined) return false;
  return isIP(name) > 0 || name === "localhost" || name.endsWith(".localhost") || names.includes(name);
}

/** "[::1]:5080" -> "::1", "Granary.lab.:80" -> "granary.lab"; undefined for what is no host. */
function hostName(host: string): string | undefined {
  const [, six, name] = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?$/.exec(host) ?? [];
  return (six ?? name)?.toLowerCase().replace(/\.$/, "");
}
