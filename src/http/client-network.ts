/** Owns which addresses count as one client where clients are counted. Pure. */
import ipaddr from "ipaddr.js";

/** One IPv6 client can have a whole /64 network of addresses, so the network counts as one address. */
export function networkOf(address: string | undefined): string {
  if (address === undefined || !ipaddr.isValid(address)) return address ?? "";
  const parsed = ipaddr.process(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  const network = parsed.parts.slice(0, 4).map((part) => part.toString(16));
  return `${network.join(":")}::/64`;
}
