/**
 * Owns which token servers may be asked (docs/protocol.md#token-realms, CVE-2026-33540): the realm of a challenge is the
 * upstream's text, so it must be near the challenger or in the configured list before anything is sent there. Pure.
 */
import ipaddr from "ipaddr.js";

/**
 * Suffixes under which strangers register: the label before these belongs to one owner. The common ones; a registry
 * under another needs `realms` in its configuration, which is the safe side to err on.
 */
const PUBLIC_SUFFIXES =
  /(?:^|\.)(?:(?:co|com|net|org|gov|ac|edu|ne|or|go)\.[a-z]{2}|azurecr\.io|amazonaws\.com|(?:[a-z0-9-]+\.)*amazonaws\.com|cloudfront\.net|appspot\.com|run\.app|pkg\.dev|github\.io|gitlab\.io|pages\.dev|workers\.dev|r2\.dev|r2\.cloudflarestorage\.com|herokuapp\.com|fly\.dev|vercel\.app|netlify\.app|hf\.space|duckdns\.org|ngrok\.io|ngrok\.app)$/;

/** True when `realm` may be asked for a token that opens `challenger`; `allowed` are hosts, with or without a port. */
export function isTrustedRealm(realm: URL, challenger: URL, allowed: readonly string[]): boolean {
  if (realm.protocol !== "https:" && (realm.protocol !== "http:" || challenger.protocol === "https:")) {
    return false;
  }
  if (allowed.includes(realm.hostname) || allowed.includes(realm.host)) return true;
  if (realm.hostname === challenger.hostname) return true;
  const domain = registrableDomain(realm.hostname);
  return domain !== undefined && domain === registrableDomain(challenger.hostname);
}

/** "auth.docker.io" -> "docker.io"; undefined for addresses, single labels and public suffixes themselves. */
export function registrableDomain(hostname: string): string | undefined {
  const host = hostname.toLowerCase().replace(/\.$/, "");
  if (host.startsWith("[") || ipaddr.isValid(host)) return undefined;
  const labels = host.split(".");
  const suffix = PUBLIC_SUFFIXES.exec(host)?.[0].replace(/^\./, "").split(".").length ?? 1;
  return labels.length > suffix && labels.length > 1 ? labels.slice(-(suffix + 1)).join(".") : undefined;
}
