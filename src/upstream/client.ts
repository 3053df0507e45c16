/**
 * Owns the making of an UpstreamClient: it puts transport, authorizer, circuit and endpoints of one upstream together behind that port. It
 * keeps no content and merges no requests.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { LookupFunction } from "node:net";
import type { Environment } from "../environment.ts";
import { type Clock, systemClock } from "../observe/clock.ts";
import { type Log, silentLog } from "../observe/log.ts";
import { createMetrics, type Metrics } from "../observe/metrics.ts";
import type { Records } from "../records/records.ts";
import { Authorizer } from "./identity/authorizer.ts";
import { identify } from "./identity/identity.ts";
import { TokenServers } from "./identity/token-servers.ts";
import { Bandwidth } from "./network/bandwidth.ts";
import { budgetReturn } from "./network/budget-return.ts";
import { Caller } from "./network/caller.ts";
import { Circuit } from "./network/circuit.ts";
import { CircuitReport } from "./network/circuit-report.ts";
import { Endpoints, namedEndpoints } from "./network/endpoints.ts";
import { type PullBudget, parsePullBudget } from "./network/headers.ts";
import { Latency } from "./network/latency.ts";
import { OfflineSwitch } from "./network/offline-switch.ts";
import type { QuestionKey } from "./network/rate-limits.ts";
import { connectAddressed, isServing, relay } from "./network/relay.ts";
import { createTransport } from "./network/transport.ts";
import type { TlsMaterial } from "./network/trust.ts";
import type { Upstream } from "./policy.ts";
import { viewAnonymously } from "./registry/anonymous-view.ts";
import type { Uplink } from "./registry/ask-registry.ts";
import { BlobOrigin } from "./registry/blob-origin.ts";
import { headBlob, measureBlob } from "./registry/blob-size.ts";
import { confirmReading } from "./registry/confirm-reading.ts";
import { listReferrers, listTags } from "./registry/list-questions.ts";
import { getManifest, headManifest } from "./registry/manifest-questions.ts";
import { probeBase } from "./registry/probe.ts";
import { endpointOf } from "./registry-url.ts";
import type { EndpointStatus, UpstreamClient } from "./upstream-client.ts";

export type UpstreamClientOptions = {
  readonly upstream: Upstream;
  readonly clock?: Clock;
  /** The limits that all upstreams share; none by default. */
  readonly bandwidth?: Bandwidth;
  readonly log?: Log;
  readonly metrics?: Metrics;
  /** Hear when the upstream goes away and when it is back, and what is fetched from it. */
  readonly records?: UpstreamRecords;
  /** Where HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY are read; the process's own by default. */
  readonly env?: Environment;
  /** PEM texts: extra CAs, and a client certificate with its key. */
  readonly tls?: TlsMaterial;
  /** The same for every request: hf.co and lscr.io answer differently depending on it. */
  readonly userAgent?: string;
  /** What requests to the registry and its token server say they passed by (network/via.ts); nothing when left out. */
  readonly via?: string;
  /** Replaces the system's name resolution; its results pass the address guard as well. */
  readonly lookup?: LookupFunction;
};

type UpstreamRecords = {
  readonly events: Pick<Records["events"], "tell">;
  readonly traffic: Pick<Records["traffic"], "fetched">;
};

/** The caller closes it. Nothing is sent before the first call of one of its methods. */
export function createUpstreamClient(options: UpstreamClientOptions): UpstreamClient {
  const { upstream, clock = systemClock, log = silentLog, metrics = createMetrics() } = options;
  const closing = new AbortController();
  const { env = process.env, tls, userAgent = "granary", via, lookup, records } = options;
  const offline = new OfflineSwitch(upstream.name);
  const latency = new Latency(
    upstream.endpoints.map((each) => new URL(each).origin),
    clock,
  );
  const transport = createTransport({
    ...{ upstream, userAgent, via, env, tls, lookup, offline, clock, log, metrics, latency },
  });
  const authorizer = new Authorizer({ upstream, transport, clock, signal: closing.signal });
  const tokenServers = new TokenServers({ transport, clock, signal: closing.signal });
  const order = (some = upstream.endpoints) =>
    new Endpoints(
      some.map((each) => endpointOf(each, upstream.ns)),
      clock,
    );
  const endpoints = order();
  const shared = { name: upstream.name, clock, offline };
  const probe = () => probeBase(transport, endpoints, closing.signal);
  const report = new CircuitReport(upstream.name, { clock, log, metrics, events: records?.events });
  const circuit: Circuit = new Circuit({
    ...shared,
    probe,
    onChange: (isOpen, reason) => report.changed(isOpen, reason, circuit.isAway),
    onLimited: (reason) => report.limited(reason),
  });
  const caller = new Caller({ ...shared, circuit, endpoints, closing: closing.signal });
  // Requests without our credentials have circuits of their own: their limits and failures say nothing about requests with them.
  const separateCaller = (some = upstream.endpoints) => {
    const own = new Circuit({ ...shared, onChange: () => undefined });
    return new Caller({ ...shared, circuit: own, endpoints: order(some), closing: closing.signal });
  };
  const anonymous = { content: separateCaller(), lists: separateCaller() };
  // What a client shows is for the registry itself.
  const confirming = separateCaller(namedEndpoints(upstream.endpoints, [upstream.name, ...upstream.aliases]));
  const hasCertificate = tls?.cert !== undefined;
  const uplink: Uplink = {
    upstream,
    transport,
    authorizer,
    endpoints,
    caller,
    hasCertificate,
    clock,
    metrics,
    onFetched: (repository, bytes) => records?.traffic.fetched(upstream.name, repository, bytes),
    bandwidth: options.bandwidth ?? new Bandwidth(clock),
  };
  // Credentials that are looked up for each request count as own access: they may be found tomorrow, and an answer that was given today
  // without a check would still be remembered then.
  const hasOwnAccess = upstream.credentials !== undefined || hasCertificate;

  let rateLimit: PullBudget | undefined;
  let clockAheadMs: number | undefined;
  const onHeaders = (headers: IncomingHttpHeaders) => {
    const upstreamTime = Date.parse(headers.date ?? "");
    if (!Number.isNaN(upstreamTime)) clockAheadMs = clock.now() - upstreamTime;
    const seen = parsePullBudget(headers, clock.now());
    if (seen === undefined) return;
    rateLimit = seen;
    metrics.rateLimit.set({ upstream: upstream.name }, seen.limit);
    metrics.rateRemaining.set({ upstream: upstream.name }, seen.remaining);
  };

  return {
    upstream,
    hasOwnAccess,
    headManifest: (ask) =>
      caller.withRetries(about("manifest HEAD", ask), (at) => headManifest(uplink, ask, at, onHeaders)),
    getManifest: (ask) =>
      caller.withRetries(about("manifest", ask), (at) => getManifest(uplink, ask, at, onHeaders)),
    headBlob: (repository, digest) =>
      caller.withRetries({ kind: "blob HEAD", repository }, (at) => headBlob(uplink, repository, digest, at)),
    measureBlob: (repository, digest) =>
      caller.withRetries({ kind: "blob HEAD", repository }, (at) =>
        measureBlob(uplink, repository, digest, at),
      ),
    blobOrigin: (repository, digest) => new BlobOrigin(uplink, repository, digest),
    tags: (repository, query, room, onAbsent) =>
      caller.withRetries({ kind: "tags", repository }, (at) =>
        listTags(uplink, repository, query, room, at, onAbsent),
      ),
    referrers: (repository, digest, room) =>
      caller.withRetries({ kind: "referrers", repository }, (at) =>
        listReferrers(uplink, repository, digest, room, at),
      ),
    relay: (ask) => relay(uplink, ask),
    isServing: (host) => isServing(uplink, host),
    isTokenServerAway: (url) => tokenServers.isAway(url),
    connect: (host, signal) => connectAddressed(uplink, host, signal),
    async viewAnonymously(ask) {
      return hasOwnAccess ? await viewAnonymously(uplink, anonymous, ask) : { view: "open" };
    },
    confirmReading: (ask, authorization) => confirmReading(uplink, confirming, ask, authorization),
    async saysIdentity(repository) {
      const [endpoint = ""] = endpoints.order;
      return (await identify(upstream, repository, { endpoint, signal: closing.signal })).says;
    },
    status: () => ({
      name: upstream.name,
      ...circuit.state,
      offlineSince: offline.since,
      rateLimit,
      budgetReturn: budgetReturn(rateLimit, circuit.limitedUntil, clock.now()),
      answers: latency.all,
      endpoints: endpoints.standing.map((standing) => endpointStatus(standing, latency, clock)),
      clockAheadMs,
    }),
    pullBudget: () => rateLimit,
    setOffline(since) {
      offline.set(since);
      if (since !== undefined) transport.cut();
    },
    offline: () => offline.refusal,
    renewTls: (next) => transport.renewTls(next),
    async close() {
      circuit.close();
      closing.abort();
      await transport.close();
    },
  };
}

type Standing = Endpoints["standing"][number];

function endpointStatus(
  { endpoint, isFirst, demotedUntil }: Standing,
  latency: Latency,
  clock: Clock,
): EndpointStatus {
  const { host, origin } = new URL(endpoint);
  const retryAt = demotedUntil === undefined ? undefined : clock.now() + demotedUntil - clock.elapsed();
  return { host, isFirst, retryAt, ...latency.of(origin) };
}

function about(kind: QuestionKey["kind"], { repository }: { readonly repository: string }): QuestionKey {
  return { kind, repository };
}
