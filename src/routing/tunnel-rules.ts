/**
 * Owns which other hosts may be tunnelled to: those that the setting names. It judges names and ports; the addresses behind them are the address
 * guard's. Pure.
 */
import { type HostPort, parseAuthority } from "../oci/host-port.ts";

/** `none`, `any`, or names: `example.com`, `example.com:8443`, `*.example.com`. A name without a port means 443, and so does `any`. */
export type TunnelSetting = "none" | "any" | readonly string[];

export function mayTunnel(setting: TunnelSetting, place: HostPort): boolean {
  if (setting === "none") return false;
  if (setting === "any") return place.port === 443;
  return setting.some((entry) => matches(entry.toLowerCase(), place));
}

function matches(entry: string, place: HostPort): boolean {
  if (!entry.startsWith("*.")) {
    const named = parseAuthority(entry);
    return named?.host === place.host && named.port === place.port;
  }
  const [, suffix = "", port = "443"] = /^\*(\.[^:]+)(?::(\d+))?$/.exec(entry) ?? [];
  return suffix !== "" && place.host.endsWith(suffix) && place.port === Number(port);
}

/** True for what `mayTunnel` understands. */
export function isTunnelEntry(entry: string): boolean {
  const name = entry.replace(/^\*\./, "");
  return name !== "" && !name.includes("*") && parseAuthority(name) !== undefined;
}
