/**
 * Owns which token servers may be asked (docs/protocol.md#token-realms, CVE-2026-33540). The realm in a challenge is written by the
 * upstream, so before anything is sent there it must be the challenger's own host, share its registrable domain by the public suffix list
 * (https://publicsuffix.org), or be listed in the configuration. Where that refuses too much, `realms` allows it; where it allowed too
 * much, a login would go to a stranger. Pure.
 */
import { getDomain } from "tldts";

/**
 * Domains below which strangers get host names, at any depth, that are not in the private section of the public suffix list, or are there
 * only in part. Below these, a host is trusted only by itself: registries, clouds, tunnels and CDNs, dynamic DNS, and names that contain
 * an address.
 */
const SHARED_DOMAINS: readonly string[] = [
  "azurecr.io",
  "amazonaws.com",
  "amazonaws.com.cn",
  "appdomain.cloud",
  "azurecontainerapps.io",
  "cloudapp.azure.com",
  "contaboserver.net",
  "fc.aliyuncs.com",
  "github.dev",
  "gitpod.io",
  "googleusercontent.com",
  "koyeb.app",
  "ovh.net",
  "pkg.dev",
  "your-server.de",
  "b-cdn.net",
  "r2.cloudflarestorage.com",
  "lhr.life",
  "loca.lt",
  "serveo.net",
  "afraid.org",
  "chickenkiller.com",
  "mooo.com",
  "nip.io",
  "sslip.io",
  "traefik.me",
  "xip.io",
];

/** True when `realm` may be asked for a token for `challenger`. `allowed` are configured hosts, with or without a port. */
export function isTrustedRealm(realm: URL, challenger: URL, allowed: readonly string[]): boolean {
  if (realm.protocol !== "https:" && (realm.protocol !== "http:" || challenger.protocol === "https:")) {
    return false;
  }
  if (allowed.includes(realm.hostname) || allowed.includes(realm.host)) return true;
  if (withoutDot(realm.hostname) === withoutDot(challenger.hostname)) return true;
  const domain = registrableDomain(realm.hostname);
  return domain !== undefined && domain === registrableDomain(challenger.hostname);
}

/**
 * "auth.docker.io" -> "docker.io": the part of a host name that belongs to one owner. undefined for addresses, single labels, public
 * suffixes themselves, and hosts of shared domains.
 */
export function registrableDomain(hostname: string): string | undefined {
  const host = withoutDot(hostname.toLowerCase());
  if (SHARED_DOMAINS.some((shared) => host === shared || host.endsWith(`.${shared}`))) return undefined;
  return getDomain(host, { allowPrivateDomains: true, extractHostname: false }) ?? undefined;
}

/** A name may be written with the dot of the root at its end (RFC 1034, 3.1). */
function withoutDot(hostname: string): string {
  return hostname.replace(/\.$/, "");
}
