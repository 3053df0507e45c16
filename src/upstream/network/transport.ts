/**
 * Owns one HTTP exchange with an upstream host: the fixed headers, the timeouts, the address check and the count of
 * requests. It never follows a redirect, never adds credentials and has no total timeout.
 */

import type { IncomingHttpHeaders } from "node:http";
import type { LookupFunction } from "node:net";
import type { Duplex, Readable } from "node:stream";
import { LRUCache } from "lru-cache";
import type { Environment } from "../../environment.ts";
import { GranaryError, isGranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { Metrics } from "../../observe/metrics.ts";
import { redactUrl } from "../../oci/redact.ts";
import type { Crowd, WantedFor } from "../../origin.ts";
import { mostEntries } from "../../waiting/expiry.ts";
import type { Upstream } from "../policy.ts";
import { refuseLiteral } from "./address-guard.ts";
import { Connections } from "./connections.ts";
import { createDispatchers, type DispatcherOptions, type Dispatchers } from "./dispatcher.ts";
import type { Latency } from "./latency.ts";
import type { OfflineSwitch } from "./offline-switch.ts";
import { readProxies } from "./proxies.ts";
import { connectTo } from "./raw-connection.ts";
import {
  onceWith,
  RELAY_HEADERS_MS,
  type Relayed,
  type RelayedAnswer,
  rawList,
  withPath,
} from "./relayed.ts";
import { transportError } from "./transport-error.ts";
import type { TlsMaterial } from "./trust.ts";

/** What a request is for: the label in metrics. */
export type UpstreamRequestKind = "manifest" | "blob" | "tags" | "referrers" | "token" | "probe" | "relay";

export type Outgoing = {
  readonly kind: UpstreamRequestKind;
  readonly method: "GET" | "HEAD" | "POST";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Asked without our client certificate, and on connections on which none was shown. */
  readonly isStranger: boolean;
  /** Of a POST; it may hold a secret and enters no message. */
  readonly body?: string;
  /** Ends the request and its body. */
  readonly signal: AbortSignal;
  /** Of a blob: by default a client waits for it. */
  readonly wantedFor?: WantedFor | undefined;
};

type Counted = Pick<Outgoing, "kind" | "url"> & { readonly method: string };

/** Of a blob of which nobody says more. */
const CLIENT: WantedFor = { purpose: "waited" };

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
   * Sends what a client sent, without anything of ours but Via: no login, no certificate, no other header. Once, because a body can be read once. Throws as
   * `send`.
   */
  relay(relayed: Relayed): Promise<RelayedAnswer>;
  /** A connection to the host of `origin`, with TLS where that is https: for what is not HTTP. Nothing of ours is shown. Throws as `send`. */
  connect(origin: URL, signal: AbortSignal): Promise<Duplex>;
  /** How many connections the host of `url` gives, and who waits for one; undefined while it gives all that are asked for. */
  crowdAt(url: URL): Crowd | undefined;
  /** True while an answer of the host of `url` is being read: then the host is up, whatever else fails there. */
  isServing(url: URL): boolean;
  /**
   * Connections that are made from now on trust and show `tls`; requests under way end on theirs. Throws `config-invalid`, and
   * nothing changes then.
   */
  renewTls(tls: TlsMaterial | undefined): void;
  /** Ends what is under way, with what `offline` says; requests after that get the same until it is set back. */
  cut(): void;
  /** Ends every connection. Idempotent. */
  close(): Promise<void>;
}

export type TransportOptions = {
  readonly upstream: Upstream;
  readonly userAgent: string;
  /** See UpstreamClientOptions. */
  readonly via?: string | undefined;
  readonly env: Environment;
  readonly tls: TlsMaterial | undefined;
  readonly lookup: LookupFunction | undefined;
  /** While it says so, nothing is sent. */
  readonly offline: OfflineSwitch;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Hears how long each answer took. */
  readonly latency: Latency;
};

/** Enough for a registry, its token server and its CDN hosts, some of which change. */
const REMEMBERED_HOSTS = 64;

/** Throws `config-invalid` for a proxy, or for TLS material, that cannot be used. */
export function createTransport(options: TransportOptions): Transport {
  const { upstream, userAgent, via, env, tls, lookup, offline, clock, log, metrics, latency } = options;
  const isInternal = upstream.internal;
  const proxies = readProxies(env);
  const unsound = new LRUCache<string, true>(mostEntries(REMEMBERED_HOSTS));
  const onUnsound = (host: string, faults: readonly string[]) => {
    const what = `${host}\n${faults.join()}`;
    if (unsound.has(what)) return;
    unsound.set(what, true);
    log.warn(
      { upstream: upstream.name, host, faults },
      "this host, or a proxy before it, sends HTTP that breaks the rules; it is read all the same",
    );
  };
  const setup = { isInternal, policy: upstream.policy, proxies, lookup, onUnsound };
  let trusted = tls;
  let dispatchers = dispatchersFor(setup, tls);
  // Redirects may lead to any number of hosts: only the latest are remembered.
  const hosts = new LRUCache<string, Connections>(mostEntries(REMEMBERED_HOSTS));
  const retiring = new Set<Dispatchers>();

  const count = ({ kind, method, url }: Counted, status: number | "error") => {
    metrics.upstreamRequests.inc({ upstream: upstream.name, kind, method, status: String(status) });
    log.debug({ upstream: upstream.name, method, url: redactUrl(url), status }, "upstream request");
  };

  const origins = new Set(upstream.endpoints.map((each) => new URL(each).origin));
  /** A CDN that a redirect leads to is no forwarder of ours, and some compress or cache otherwise where they see Via. */
  const viaTo = (kind: UpstreamRequestKind, { origin }: URL) =>
    via !== undefined && (kind === "token" || origins.has(origin)) ? { via } : {};

  const connectionsTo = ({ origin }: URL): Connections => {
    const known = hosts.get(origin) ?? new Connections(clock);
    hosts.set(origin, known);
    return known;
  };

  /** One try: a connection, the headers. */
  async function attempt(outgoing: Outgoing): Promise<Incoming> {
    const { kind, method, url, isStranger, signal, body = null } = outgoing;
    // Here, because the request may have waited for a connection.
    if (offline.refusal !== undefined) throw offline.refusal;
    const startedAt = clock.elapsed();
    const answered = (ms: number | undefined, isFailed: boolean) => {
      if (kind !== "token") latency.asked(url.origin, ms, isFailed);
    };
    // The bytes of a compressed body are not those of the digest (docs/protocol.md#length-and-encoding).
    const own = { "user-agent": userAgent, "accept-encoding": "identity", ...viaTo(kind, url) };
    const headers = { ...own, ...outgoing.headers };
    try {
      // Origin and path only: a user:password@ in a Location must not become an Authorization header.
      const path = `${url.pathname}${url.search}`;
      // Without `reset: false` undici closes the connection after every HEAD. A token server is asked once in minutes: its connection is
      // closed, because on a line that allows few connections an idle one would take the place of a lane.
      const options = { origin: url.origin, path, method, headers, body, signal, reset: kind === "token" };
      const answer = await dispatchers[isStranger ? "bare" : "own"].of(url).request(options);
      count(outgoing, answer.statusCode);
      answered(clock.elapsed() - startedAt, answer.statusCode >= 500);
      return { status: answer.statusCode, headers: singled(answer.headers), body: answer.body, url };
    } catch (error) {
      count(outgoing, "error");
      const failure = transportError(error, method, url, signal, proxies.proxyOf(url)?.shown);
      // What we ended ourselves says nothing of the upstream.
      if (!isGranaryError(failure, "aborted", "closed")) answered(undefined, true);
      throw failure;
    }
  }

  async function relay(relayed: Relayed): Promise<RelayedAnswer> {
    const { method, origin: url, path, headers, body = null, signal } = relayed;
    if (offline.refusal !== undefined) throw offline.refusal;
    const counted = { kind: "relay", method, url } as const;
    try {
      const { origin } = url;
      const list = via === undefined ? [...headers] : [...headers, "Via", via];
      const options = { origin, path, method, headers: list, body, signal, reset: false };
      const answer = await dispatchers.bare
        .of(url)
        .request({ ...options, responseHeaders: "raw", headersTimeout: RELAY_HEADERS_MS });
      count(counted, answer.statusCode);
      return { status: answer.statusCode, headers: rawList(answer.headers), body: answer.body };
    } catch (error) {
      count(counted, "error");
      throw transportError(error, method, withPath(url, path), signal, proxies.proxyOf(url)?.shown);
    }
  }

  return {
    async relay(relayed) {
      refuseLiteral(relayed.origin, isInternal);
      const whenOver = ({ body }: RelayedAnswer, free: () => void) => body.once("close", free);
      // A small question to the others: whoever waits for it has a client that has just begun.
      const inTurn = connectionsTo(relayed.origin);
      return await inTurn.use(
        onceWith(relayed.body, () => relay(relayed)),
        whenOver,
        relayed.signal,
        undefined,
      );
    },
    async connect(origin, signal) {
      if (offline.refusal !== undefined) throw offline.refusal;
      const { connectMs: timeoutMs } = upstream.policy;
      const authorities = trusted?.ca === undefined ? undefined : { ca: trusted.ca };
      return await connectTo(origin, isInternal, authorities, { env, timeoutMs, signal, clock, lookup });
    },
    async send(outgoing) {
      const { kind, url, signal, wantedFor = CLIENT } = outgoing;
      refuseLiteral(url, isInternal);
      const whenOver = ({ body }: Incoming, free: () => void) => body.once("close", free);
      return await connectionsTo(url).use(
        () => attempt(outgoing),
        whenOver,
        signal,
        kind === "blob" ? wantedFor : undefined,
      );
    },
    crowdAt: ({ origin }) => hosts.get(origin)?.crowd,
    isServing: ({ origin }) => hosts.get(origin)?.isServing === true,
    renewTls(next) {
      const old = dispatchers;
      dispatchers = dispatchersFor(setup, next);
      trusted = next;
      for (const each of new Set([old.own, old.bare])) {
        retiring.add(each);
        // If this fails, its connections have ended as well.
        const forget = () => retiring.delete(each);
        each.retire().then(forget, forget);
      }
    },
    cut() {
      const old = new Set([dispatchers.own, dispatchers.bare, ...retiring]);
      dispatchers = dispatchersFor(setup, trusted);
      const error =
        offline.refusal ?? new GranaryError("closed", `The connections of ${upstream.name} were ended.`);
      for (const each of old) each.destroy(error).catch(() => undefined);
    },
    async close() {
      const error = new GranaryError("closed", `The client of ${upstream.name} is closed.`);
      const all = new Set([dispatchers.own, dispatchers.bare, ...retiring]);
      await Promise.all([...all].map((each) => each.destroy(error)));
    },
  };
}

/** Headers that may come only once; others are lists, which may come in several lines. */
const SINGLE = [
  "content-type",
  "content-length",
  "content-encoding",
  "content-range",
  "docker-content-digest",
  "etag",
  "location",
  "retry-after",
] as const;

/** If such a header comes several times, the first counts, as in other clients. */
function singled(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const found: Readonly<Record<string, string | string[] | undefined>> = headers;
  const twice = SINGLE.filter((name) => Array.isArray(found[name]));
  if (twice.length === 0) return headers;
  return { ...headers, ...Object.fromEntries(twice.map((name) => [name, found[name]?.[0]])) };
}

/** Connections with the client certificate, and connections without. They are the same when there is no certificate. */
function dispatchersFor(
  setup: Omit<DispatcherOptions, "tls">,
  tls: TlsMaterial | undefined,
): { readonly own: Dispatchers; readonly bare: Dispatchers } {
  const own = createDispatchers({ ...setup, tls });
  if (tls?.cert === undefined) return { own, bare: own };
  const authorities = tls.ca === undefined ? undefined : { ca: tls.ca };
  return { own, bare: createDispatchers({ ...setup, tls: authorities }) };
}
