/**
 * Owns how undici is set up for one upstream: HTTP/1.1 sockets, one request at a time on each, guarded look-ups,
 * proxies from the environment, extra CAs and a client certificate. It never sends anything itself.
 */
import type { LookupFunction } from "node:net";
import type { SecureContext } from "node:tls";
import { Agent, buildConnector, type Dispatcher, Pool, ProxyAgent } from "undici";
import type { Policy } from "../policy.ts";
import { guardLookup } from "./address-guard.ts";
import { mendedConnector, type OnUnsound } from "./mended-socket.ts";
import type { HttpProxy, Proxies } from "./proxies.ts";
import { secureContextOf, type TlsMaterial } from "./trust.ts";
import { watchedConnector } from "./turned-away.ts";

export type DispatcherOptions = {
  readonly isInternal: boolean;
  readonly policy: Pick<Policy, "connectMs" | "headersMs" | "stallMs">;
  readonly proxies: Proxies;
  readonly tls: TlsMaterial | undefined;
  /** Replaces the system's name resolution (tests). */
  readonly lookup: LookupFunction | undefined;
  readonly onUnsound: OnUnsound;
};

/** The connections to one upstream: some direct, some through proxies. */
export type Dispatchers = {
  /** What carries requests to `url`. */
  of(url: URL): Dispatcher;
  /** Ends every connection with `error`. */
  destroy(error: Error): Promise<void>;
  /** Takes no more requests, and ends when those under way have ended. */
  retire(): Promise<void>;
};

/** The longest headers of an answer. Front ends add cookies, policies and links; curl accepts 300 KiB, Go 10 MiB. */
const MAX_HEADER_BYTES = 2 ** 20;

/**
 * How long an idle connection is kept. Long enough for the next segment and the next layer; well below the 60 to 75 s after which common
 * front ends close one. On a line that allows few connections, an idle one to the registry takes the place of one to its CDN.
 */
const KEEP_ALIVE_MS = 5_000;

/** Throws `config-invalid` for TLS material that cannot be used. */
export function createDispatchers(options: DispatcherOptions): Dispatchers {
  const { isInternal, policy, proxies, tls, lookup, onUnsound } = options;
  const common = {
    // Several lanes are faster only as several sockets, each with its own congestion window; HTTP/2 would put them all on one.
    allowH2: false,
    pipelining: 1,
    connections: null,
    connectTimeout: policy.connectMs,
    headersTimeout: policy.headersMs,
    bodyTimeout: policy.stallMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Otherwise a longer time that the server names (`Keep-Alive: timeout=60`) would count instead.
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  };
  const secureContext = contextOf(tls);
  const timeout = policy.connectMs;
  const mended = (connector: buildConnector.connector) =>
    mendedConnector(watchedConnector(connector), MAX_HEADER_BYTES, onUnsound);
  const guarded = { allowH2: false, timeout, lookup: guardLookup(isInternal, lookup) };
  const plain = buildConnector(guarded);
  let secure: buildConnector.connector | undefined;
  const connector: buildConnector.connector = (target, callback) => {
    if (target.protocol !== "https:") return plain(target, callback);
    secure ??= buildConnector({ ...guarded, secureContext: secureContext() });
    secure(target, callback);
  };
  const direct = new Agent({ ...common, connect: mended(connector) });
  const through = ({ url }: HttpProxy) =>
    new ProxyAgent({
      ...common,
      uri: url.href,
      // The proxy resolves names, so guardLookup does not see their addresses; refuseLiteral still checks addresses in URLs.
      requestTls: { secureContext: secureContext() },
      // The client certificate is for the upstream, not for a proxy.
      proxyTls: { secureContext: secureContextOf(tls?.ca === undefined ? undefined : { ca: tls.ca }) },
      // Without these factories, undici connects to the proxy with its own timeouts, which are minutes.
      factory: (origin, own) => {
        const connect = "connect" in own && isConnector(own.connect) ? { connect: mended(own.connect) } : {};
        return new Pool(origin, { ...common, ...own, ...connect });
      },
      clientFactory: (origin, own) => new Pool(origin, { ...common, ...own }),
    });
  const agents = new Map(
    [proxies.http, proxies.https].filter((each) => each !== undefined).map((each) => [each, through(each)]),
  );
  const everyone = [direct, ...agents.values()];
  return {
    of(url) {
      const proxy = proxies.proxyOf(url);
      return (proxy && agents.get(proxy)) ?? direct;
    },
    async destroy(error) {
      await Promise.all(everyone.map((each) => each.destroy(error)));
    },
    async retire() {
      await Promise.all(everyone.map((each) => each.close()));
    },
  };
}

/**
 * What connections trust. Where nothing is configured it is made for the first of them, because Node needs thirty milliseconds to read what the
 * system trusts, and no start waits for that; what is configured is checked now.
 */
function contextOf(tls: TlsMaterial | undefined): () => SecureContext {
  if (tls === undefined) return () => secureContextOf(undefined);
  const checked = secureContextOf(tls);
  return () => checked;
}

/** undici makes a connector function for tunnels; anything else is passed on unchanged. */
function isConnector(value: unknown): value is buildConnector.connector {
  return typeof value === "function";
}
