/**
 * Owns one HTTP exchange with an upstream host: the fixed headers, the timeouts, the address check and the count of
 * requests. It never follows a redirect, never adds credentials and has no total timeout.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { LookupFunction } from "node:net";
import type { Readable } from "node:stream";
import { GranaryError } from "../errors.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { refuseLiteral } from "./address-guard.ts";
import { createDispatchers, type Dispatchers } from "./dispatcher.ts";
import type { Upstream } from "./policy.ts";
import { type ProxyEnvironment, readProxies } from "./proxies.ts";
import { redactUrl } from "./redact-url.ts";
import { transportError } from "./transport-error.ts";
import type { TlsMaterial } from "./trust.ts";

/** The label of metrics. */
export type RequestKind = "manifest" | "blob" | "tags" | "referrers" | "token";

export type Outgoing = {
  readonly kind: RequestKind;
  readonly method: "GET" | "HEAD" | "POST";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Of a POST; it may hold a secret and enters no message. */
  readonly body?: string;
  /** Ends the request and its body. */
  readonly signal: AbortSignal;
};

export type Incoming = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Whoever holds the answer reads the body, or hands it to `discardBody`. */
  readonly body: Readable;
  readonly url: URL;
};

export interface Transport {
  /** Throws `denied` (address), `upstream-unavailable`, `upstream-protocol`, `aborted`. Any status is an answer. */
  send(outgoing: Outgoing): Promise<Incoming>;
  /**
   * Connections that are made from now on trust and show `tls`; requests under way end on theirs. Throws `config-invalid`, and
   * nothing changes then.
   */
  renewTls(tls: TlsMaterial | undefined): void;
  /** Ends every connection. Idempotent. */
  close(): Promise<void>;
}

export type TransportOptions = {
  readonly upstream: Upstream;
  readonly userAgent: string;
  readonly env: ProxyEnvironment;
  readonly tls: TlsMaterial | undefined;
  readonly lookup: LookupFunction | undefined;
  readonly log: Log;
  readonly metrics: Metrics;
};

/** Throws `config-invalid` for a proxy, or for TLS material, that cannot be used. */
export function createTransport(options: TransportOptions): Transport {
  const { upstream, userAgent, env, tls, lookup, log, metrics } = options;
  const isInternal = upstream.internal;
  const proxies = readProxies(env);
  const connections = { isInternal, policy: upstream.policy, proxies, lookup };
  let dispatchers = createDispatchers({ ...connections, tls });
  const retiring = new Set<Dispatchers>();

  const count = ({ kind, method, url }: Outgoing, status: number | "error") => {
    metrics.upstreamRequests.inc({ upstream: upstream.name, kind, method, status: String(status) });
    log.debug({ upstream: upstream.name, method, url: redactUrl(url), status }, "upstream request");
  };

  return {
    async send(outgoing) {
      const { method, url, signal, body = null } = outgoing;
      refuseLiteral(url, isInternal);
      // Compressed bodies would be stored as other bytes than the digest names (registry-clients.md H74).
      const headers = { "user-agent": userAgent, "accept-encoding": "identity", ...outgoing.headers };
      try {
        // Origin and path only: a user:password@ in a Location must not become a header of the redirect's making.
        const path = `${url.pathname}${url.search}`;
        // undici closes the connection after every HEAD unless told not to: a new handshake per revalidation.
        const options = { origin: url.origin, path, method, headers, body, signal, reset: false };
        const answer = await dispatchers.of(url).request(options);
        count(outgoing, answer.statusCode);
        return { status: answer.statusCode, headers: answer.headers, body: answer.body, url };
      } catch (error) {
        count(outgoing, "error");
        throw transportError(error, method, url, signal, proxies.proxyOf(url)?.shown);
      }
    },
    renewTls(next) {
      const old = dispatchers;
      dispatchers = createDispatchers({ ...connections, tls: next });
      retiring.add(old);
      // A failure to end is the end of its connections all the same.
      const forget = () => retiring.delete(old);
      old.retire().then(forget, forget);
    },
    async close() {
      const error = new GranaryError("closed", `The client of ${upstream.name} is closed.`);
      await Promise.all([dispatchers, ...retiring].map((each) => each.destroy(error)));
    },
  };
}
