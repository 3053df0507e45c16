/** Owns a host with its port, as CONNECT, Host and the names of registries have it (RFC 9110, 7.2 and 9.3.6). Pure; whether one may be had is for others. */
import { isIPv6 } from "node:net";

export type HostPort = {
  /** Lower case, without brackets and without a dot at its end. */
  readonly host: string;
  readonly port: number;
};

/** undefined for what is not `host:port`. */
export function parseHostPort(text: string | undefined): HostPort | undefined {
  const [, address, name, port = ""] =
    /^(?:\[([\da-f:.]+)\]|([a-z\d_](?:[\w.-]{0,252}))):(\d{1,5})$/i.exec(text ?? "") ?? [];
  const host = (address ?? name?.replace(/\.$/, ""))?.toLowerCase();
  const number = Number(port);
  if (host === undefined || host === "" || number === 0 || number > 65_535) return undefined;
  if (address === undefined) return { host, port: number };
  // An IPv6 address can be written in many ways, and is compared as text.
  return isIPv6(address)
    ? { host: hostPortOf(new URL(`https://[${address}]`)).host, port: number }
    : undefined;
}

/** `host[:port]`, where no port means that of https; undefined for what is neither. */
export function parseAuthority(text: string): HostPort | undefined {
  return parseHostPort(text) ?? parseHostPort(`${text}:443`);
}

/** Where a URL of http or https leads. */
export function hostPortOf({ hostname, port, protocol }: URL): HostPort {
  const host = hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  return { host, port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port) };
}

/** `host:port`; the form in which places are compared. */
export function hostPortText({ host, port }: HostPort): string {
  return `${bracketed(host)}:${port}`;
}

/** As people and URLs write it: 443 is what `https` means anyway. */
export function authorityOf({ host, port }: HostPort): string {
  return port === 443 ? bracketed(host) : hostPortText({ host, port });
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
