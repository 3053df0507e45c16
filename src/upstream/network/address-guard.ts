/**
 * Owns which addresses an upstream may make us connect to (docs/protocol.md#private-addresses). It checks the address itself, in the same
 * name look-up that the connection uses, so that a name that changes between check and use (DNS rebinding) does not get past it.
 */
import { lookup as systemLookup } from "node:dns";
import type { LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import { GranaryError } from "../../errors.ts";

/**
 * Where clouds keep instance credentials: AWS, GCP and Azure (169.254.169.254), AWS over IPv6, Alibaba, Oracle, and Azure's
 * host agent. No registry lives there, so not even an internal upstream may name them.
 */
const METADATA = new Set(
  [
    "169.254.169.254",
    "169.254.170.2",
    "fd00:ec2::254",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
  ].map((address) => ipaddr.parse(address).toNormalizedString()),
);

const NEVER = new Set(["multicast", "unspecified", "broadcast"]);

/** IPv6 that is routed on the internet today (IANA): everything else in "unicast" is unassigned. */
const GLOBAL_V6 = ipaddr.parseCIDR("2000::/3");

/** Why `address` may not be connected to, in words ("a loopback address"); undefined when it may. */
export function whyRefused(address: string, isInternal: boolean): string | undefined {
  if (!ipaddr.isValid(address)) return "not an address";
  const parsed = embeddedOf(ipaddr.parse(address));
  if (METADATA.has(parsed.toNormalizedString())) return "a cloud metadata address";
  const range = parsed.range();
  if (NEVER.has(range)) return `a ${range} address`;
  if (isInternal || (range === "unicast" && isGlobal(parsed))) return undefined;
  return `a ${range === "unicast" ? "reserved" : range} address`;
}

/** The IPv4 address inside an IPv4-mapped or NAT64 one: `[::ffff:127.0.0.1]` is the loopback. */
function embeddedOf(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (!(address instanceof ipaddr.IPv6)) return address;
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  if (address.range() !== "rfc6052") return address;
  return ipaddr.fromByteArray(address.toByteArray().slice(12));
}

function isGlobal(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return address instanceof ipaddr.IPv4 || address.match(GLOBAL_V6);
}

/** Throws `denied` when the host of `url` is itself a refused address: no name is looked up for it, so guardLookup never sees it. */
export function refuseLiteral(url: URL, isInternal: boolean): void {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (!ipaddr.isValid(host)) return;
  const refusal = whyRefused(host, isInternal);
  if (refusal !== undefined) throw refused(host, host, refusal);
}

/**
 * A look-up for `net.connect` that returns only the addresses that may be connected to, and fails with `denied` when none is left.
 */
export function guardLookup(isInternal: boolean, lookup: LookupFunction = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, "");
      const all = Array.isArray(found) ? found : [{ address: found, family: 0 }];
      const allowed = all.filter(({ address }) => whyRefused(address, isInternal) === undefined);
      const [first] = allowed;
      if (first === undefined) return callback(refusedLookup(hostname, all[0]?.address, isInternal), "");
      if (options.all === true) return callback(null, allowed);
      callback(null, first.address, first.family);
    });
  };
}

function refusedLookup(hostname: string, address: string | undefined, isInternal: boolean): GranaryError {
  if (address === undefined) {
    return new GranaryError("upstream-unavailable", `The name ${hostname} resolves to no address.`);
  }
  return refused(hostname, address, whyRefused(address, isInternal) ?? "refused");
}

function refused(host: string, address: string, refusal: string): GranaryError {
  const what = host === address ? `it is ${refusal}` : `it resolves to ${address}, ${refusal}`;
  return new GranaryError(
    "denied",
    `Refused to connect to ${host}: ${what}. An upstream on such an address must be marked "internal: true".`,
    { found: address },
  );
}
