/**
 * Owns what is said at the start of who can reach a listener: an open cache is what its users want in their own network, and what
 * nobody wants on the internet. It judges addresses of this machine; a firewall or a router in front of it is not seen from here.
 */
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import ipaddr from "ipaddr.js";
import type { Log } from "../../observe/log.ts";

export type Interfaces = ReturnType<typeof networkInterfaces>;

/** Who can reach an address: this machine, its own networks, or the internet. */
export type Reach = "machine" | "network" | "internet";

export type Exposure = {
  readonly reach: Reach;
  /** The addresses that reach so far. */
  readonly addresses: readonly string[];
};

/** How far a listener on `address` (of a wildcard: all that `interfaces` have) can be reached. */
export function exposureOf(address: string, interfaces: Interfaces = networkInterfaces()): Exposure {
  const all = addressesBehind(address, interfaces);
  for (const reach of ["internet", "network"] as const) {
    const addresses = all.filter((one) => reachOf(one) === reach);
    if (addresses.length > 0) return { reach, addresses };
  }
  return { reach: "machine", addresses: all };
}

/** One line for a listener without a login; a warning where the whole internet may come. */
export function tellExposure(log: Log, port: number, { reach, addresses }: Exposure): void {
  if (reach === "machine") return;
  const facts = { port, addresses };
  if (reach === "network") {
    log.info(facts, "this listener has no login: whoever reaches this machine may read what it serves");
    return;
  }
  log.warn(
    facts,
    "this listener is open to the internet and has no login: set its host to a private address, close the port in the firewall, or give it a login",
  );
}

function addressesBehind(address: string, interfaces: Interfaces): string[] {
  const own = Object.values(interfaces).flatMap((infos: NetworkInterfaceInfo[] = []) => infos);
  // On "::" Node listens for IPv4 too.
  if (address === "::") return own.map((info) => info.address);
  if (address === "0.0.0.0") return own.filter(({ family }) => family === "IPv4").map((info) => info.address);
  return [address];
}

/** What IANA has given to the internet, and the tunnels to it; all else stays in networks of one's own. */
function reachOf(address: string): Reach {
  const bare = address.replace(/%.*$/, "");
  if (!ipaddr.isValid(bare)) return "network";
  const range = ipaddr.process(bare).range();
  if (range === "loopback") return "machine";
  return ["unicast", "6to4", "teredo", "rfc6052"].includes(range) ? "internet" : "network";
}
