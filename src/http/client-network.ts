/** Owns which addresses count as one client where clients are counted, and how an address is written. Pure. */
import ipaddr from "ipaddr.js";

/** One IPv6 client can have a whole /64 network of addresses, so the network counts as one address. */
export function networkOf(address: string | undefined): string {
  if (address === undefined || !ipaddr.isValid(address)) return address ?? "";
  const parsed = ipaddr.process(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  const network = parsed.parts.slice(0, 4).map((part) => part.toString(16));
  return `${network.join(":")}::/64`;
}

/** An address in whatever way a person writes it, as addresses of clients are kept: short, lower case, IPv4 plain. Any other text stays. */
export function writtenAddress(text: string): string {
  const zone = text.indexOf("%");
  if (zone >= 0 || !ipaddr.isValid(text)) return text;
  const parsed = ipaddr.process(text);
  return parsed instanceof ipaddr.IPv6 ? parsed.toRFC5952String() : parsed.toString();
}

/** Whether who asks is on this machine: over loopback, or over a socket that has no address. */
export function isOwnMachine(address: string | undefined): boolean {
  if (address === undefined) return true;
  return ipaddr.isValid(address) && ipaddr.process(address).range() === "loopback";
}
