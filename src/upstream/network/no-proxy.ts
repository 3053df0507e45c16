/**
 * Owns what NO_PROXY means: the hosts that are reached without a proxy. Names, addresses, networks (CIDR), ports and `*`, as curl
 * and Go read them together. Pure: names are compared as they are written and never resolved.
 */
import ipaddr from "ipaddr.js";

/** True when `host` (a URL's hostname) on `port` is to be reached directly. */
export type NoProxy = (host: string, port: number) => boolean;

type Rule = { readonly matches: (host: string) => boolean; readonly port: number | undefined };

/** `problem` is called with a sentence about an entry that cannot be understood; it must throw. */
export function parseNoProxy(text: string, problem: (sentence: string) => never): NoProxy {
  const rules = text
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .map((entry) => parseRule(entry, problem));
  return (host, port) => {
    const bare = bareHost(host);
    return rules.some((rule) => (rule.port === undefined || rule.port === port) && rule.matches(bare));
  };
}

function parseRule(entry: string, problem: (sentence: string) => never): Rule {
  if (entry.includes("://")) {
    problem(`"${entry.replace(/\/\/.*@/, "//")}" is a URL, and hosts are written without one: registry.lab`);
  }
  const { host, port } = splitPort(entry);
  if (host.includes("/")) return { port, matches: network(host, entry, problem) };
  const bare = bareHost(host);
  if (ipaddr.isValid(bare)) {
    const address = normalized(bare);
    return { port, matches: (asked) => ipaddr.isValid(asked) && normalized(asked) === address };
  }
  return { port, matches: bare.includes("*") ? pattern(bare) : domain(bare) };
}

/** "host:5000", "[::1]:5000" and "10.0.0.0/8:5000" have a port; a bare "::1" has none. */
function splitPort(entry: string): { readonly host: string; readonly port: number | undefined } {
  const [, host, port] = /^(\[[^\]]*\](?:\/\d+)?|[^:]*):(\d+)$/.exec(entry) ?? [];
  return host === undefined ? { host: entry, port: undefined } : { host, port: Number(port) };
}

/** A network matches only addresses: names are not looked up for it. */
function network(cidr: string, entry: string, problem: (sentence: string) => never): Rule["matches"] {
  const bare = cidr.replace(/[[\]]/g, "");
  if (!ipaddr.isValidCIDR(bare)) {
    problem(`"${entry}" is no network: write one as 10.0.0.0/8 or fd00::/8`);
  }
  const [base, bits] = ipaddr.parseCIDR(bare);
  return (host) => {
    if (!ipaddr.isValid(host)) return false;
    const address = ipaddr.process(host);
    return address.kind() === base.kind() && address.match(base, bits);
  };
}

/** `*` stands for any characters: "*.lab" is every name below it, "10.1.*" every such address. */
function pattern(glob: string): Rule["matches"] {
  const parts = glob.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\-]/g, "\\$&"));
  const expression = new RegExp(`^${parts.join(".*")}$`);
  return (host) => expression.test(host);
}

/** The name itself and every name below it, with or without a dot in front. */
function domain(name: string): Rule["matches"] {
  const own = name.replace(/^\./, "");
  return (host) => own !== "" && (host === own || host.endsWith(`.${own}`));
}

/** Without brackets, without the dot at the end of a fully qualified name, in lower case. */
function bareHost(host: string): string {
  return host
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/(.)\.$/, "$1")
    .toLowerCase();
}

/** One form for each address: an IPv4 address in IPv6 is that IPv4 address. */
function normalized(address: string): string {
  return ipaddr.process(address).toNormalizedString();
}
