/**
 * Owns how a listener is reached: the URLs that clients type, and who else can come. It judges addresses of this machine; a firewall, a
 * router or a container's published port in front of it is not seen from here.
 */
import { X509Certificate } from "node:crypto";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import ipaddr from "ipaddr.js";
import type { Log } from "../../observe/log.ts";
import { plainAddress } from "../request-log.ts";

export type Interfaces = ReturnType<typeof networkInterfaces>;

/** Who can reach an address: this machine, its own networks, or the internet. */
type Reach = "machine" | "network" | "internet";

type Exposure = {
  readonly reach: Reach;
  /** The addresses at which it can be reached from there. */
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

/** Warns of a listener without a login that others than this machine can use. */
export function warnOfExposure(log: Log, port: number, { reach, addresses }: Exposure): void {
  if (reach === "machine") return;
  const text =
    reach === "internet"
      ? "this listener is open to the internet and has no login: set its host to a private address, close the port in the firewall, or give it a login"
      : "this listener is open to your network and has no login: anybody there can use it; give it a login, or set its host to 127.0.0.1, if you do not want that";
  log.warn({ port, addresses }, text);
}

type ReachedListener = {
  /** Where it listens; a wildcard where that is everywhere. */
  readonly address: string;
  readonly port: number;
  /** PEM text; undefined where it speaks plain http. */
  readonly cert: string | undefined;
  /** What it speaks, where the certificate does not say. */
  readonly scheme?: "https";
};

/**
 * The URLs that clients can type, the likeliest first; at least one. Over TLS these are names and addresses of the certificate, if it has
 * any that could be meant: clients refuse all others.
 */
export function clientUrls(
  { address, port, cert, scheme }: ReachedListener,
  interfaces: Interfaces = networkInterfaces(),
): readonly [string, ...string[]] {
  const hosts = hostsOf(address, interfaces);
  const certified = cert === undefined || isLoopback(hosts[0]) ? [] : certifiedHosts(cert, hosts);
  const [first = hosts[0], ...others] = certified.length > 0 ? certified : hosts;
  const spoken = scheme ?? (cert === undefined ? "http" : "https");
  const urlOf = (host: string) => `${spoken}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  return [urlOf(first), ...others.map(urlOf)];
}

/** The addresses at which other machines reach this one; those of this machine alone where there is no other. */
function hostsOf(address: string, interfaces: Interfaces): readonly [string, ...string[]] {
  const found = addressesBehind(address, interfaces).map((one) => plainAddress(one) ?? one);
  const reached = found.filter((one) => !isLoopback(one) && !isLinkLocal(one));
  const bridges = bridgesOf(interfaces);
  const rankOf = (one: string) =>
    (bridges.has(one) ? 4 : 0) + (one.includes(":") ? 2 : 0) + (reachOf(one) === "internet" ? 1 : 0);
  const [first = found.find(isLoopback) ?? "127.0.0.1", ...others] = reached.sort(
    (a, b) => rankOf(a) - rankOf(b),
  );
  return [first, ...others];
}

/** Names of bridges and pairs that container engines and virtual machines make. */
const BRIDGE = /^(?:docker|br-|veth|virbr|lxc|lxdbr|podman|cni|flannel|cali|vmnet|vboxnet)/;

function bridgesOf(interfaces: Interfaces): ReadonlySet<string> {
  const bridges = Object.entries(interfaces).filter(([name]) => BRIDGE.test(name));
  return new Set(bridges.flatMap(([, infos = []]) => infos.map(({ address }) => address)));
}

/** Names first, as people type them; a wildcard (`*.lab`) is no name. Then those of `hosts` that stand in the certificate. */
function certifiedHosts(cert: string, hosts: readonly string[]): string[] {
  const certificate = new X509Certificate(cert);
  const names = [...(certificate.subjectAltName ?? "").matchAll(/DNS:([A-Za-z0-9.-]+)/g)].map(
    ([, name = ""]) => name,
  );
  const others = names.filter((name) => name !== "localhost");
  return [...others, ...hosts.filter((host) => certificate.checkIP(host) !== undefined)];
}

function isLoopback(address: string): boolean {
  return reachOf(address) === "machine";
}

/** Such addresses are of use only together with the name of an interface. */
function isLinkLocal(address: string): boolean {
  return (
    address.includes("%") || (ipaddr.isValid(address) && ipaddr.process(address).range() === "linkLocal")
  );
}

function addressesBehind(address: string, interfaces: Interfaces): string[] {
  const own = Object.values(interfaces).flatMap((infos: NetworkInterfaceInfo[] = []) => infos);
  // On "::" Node listens for IPv4 too.
  if (address === "::") return own.map((info) => info.address);
  if (address === "0.0.0.0") return own.filter(({ family }) => family === "IPv4").map((info) => info.address);
  return [address];
}

/** "internet" for addresses that IANA gave to the internet and for tunnels to it; all others are of local networks. */
function reachOf(address: string): Reach {
  const bare = address.replace(/%.*$/, "");
  if (!ipaddr.isValid(bare)) return "network";
  const range = ipaddr.process(bare).range();
  if (range === "loopback") return "machine";
  return ["unicast", "6to4", "teredo", "rfc6052"].includes(range) ? "internet" : "network";
}
