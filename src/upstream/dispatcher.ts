/**
 * Owns how undici is set up for one upstream: HTTP/1.1 sockets, one request at a time on each, guarded look-ups,
 * proxies from the environment, extra CAs and a client certificate. It never sends anything itself.
 */
import type { LookupFunction } from "node:net";
import { getCACertificates } from "node:tls";
import { type Dispatcher, EnvHttpProxyAgent } from "undici";
import { guardLookup } from "./address-guard.ts";
import type { Policy } from "./policy.ts";

/** PEM texts. */
export type TlsMaterial = { readonly ca?: string; readonly cert?: string; readonly key?: string };

/** The environment variables that name proxies; both spellings are read, as curl does. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

export type DispatcherOptions = {
  readonly isInternal: boolean;
  readonly policy: Pick<Policy, "connectMs" | "headersMs" | "stallMs">;
  readonly env: ProxyEnvironment;
  readonly tls: TlsMaterial | undefined;
  /** Replaces the system's name resolution (tests). */
  readonly lookup: LookupFunction | undefined;
};

/** registry-clients.md F.6: headers of 64 to 128 KiB are enough for every registry seen. */
const MAX_HEADER_BYTES = 64 * 1024;

/** Below the 60 to 75 s after which common front ends drop an idle connection. */
const KEEP_ALIVE_MS = 20_000;

export function createDispatcher({ isInternal, policy, env, tls, lookup }: DispatcherOptions): Dispatcher {
  const material = tlsOptions(tls);
  return new EnvHttpProxyAgent({
    // Lanes are worth having only as sockets of their own: one congestion window each (issue 2, item 2).
    allowH2: false,
    pipelining: 1,
    connections: null,
    connectTimeout: policy.connectMs,
    connect: { ...material, timeout: policy.connectMs, lookup: guardLookup(isInternal, lookup) },
    // The proxy resolves names then; the guard above never sees them, the literal check still does.
    requestTls: material,
    headersTimeout: policy.headersMs,
    bodyTimeout: policy.stallMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    // Empty text, not undefined: undici would go and read process.env by itself.
    httpProxy: env.http_proxy ?? env.HTTP_PROXY ?? "",
    httpsProxy: env.https_proxy ?? env.HTTPS_PROXY ?? "",
    noProxy: env.no_proxy ?? env.NO_PROXY ?? "",
  });
}

/** `ca` replaces Node's own list, so an extra CA has to bring that list along. */
function tlsOptions(tls: TlsMaterial | undefined): { ca?: string[]; cert?: string; key?: string } {
  if (tls === undefined) return {};
  const { ca, ...client } = tls;
  return { ...client, ...(ca !== undefined && { ca: [...getCACertificates("default"), ca] }) };
}
