/**
 * Owns every metric's name, labels and meaning (prom-client). One instance per process or per test; layers are
 * handed this object and count into it, nothing reads it back but `/metrics` and tests.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { version } from "../version.ts";
import { addProcessMetrics } from "./process-metrics.ts";

export type Metrics = ReturnType<typeof createMetrics>;

/** Of a cache that is large enough, what is evicted was used weeks ago. */
const [HOUR, DAY] = [3_600, 86_400];
const EVICTED_IDLE = [HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY, 30 * DAY, 90 * DAY];

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: `granary_${name}`, help, labelNames, registers });
  const histogram = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets: number[],
  ) => new Histogram({ name: `granary_${name}`, help, labelNames, buckets, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge({ name: `granary_${name}`, help, labelNames, registers });

  addProcessMetrics(registry);
  gauge("build_info", "1; the labels say what runs.", ["version", "node"]).set(
    { version, node: process.versions.node },
    1,
  );
  const metrics = {
    registry,
    requests: counter(
      "requests_total",
      'Requests that are over. Outcomes: hit (stored), miss (fetched for this request), shared (from a transfer that others had begun), revalidated (the registry was asked whether it is still right), stale (the registry could not be asked), bypass (fetched and not kept), absent (404), refused (any other 4xx), error (5xx, or a body that broke off), aborted (the client left), none (nothing was looked up). The upstream is one that is configured, or "none".',
      ["kind", "upstream", "outcome", "status"],
    ),
    clientBytes: counter("client_bytes_total", "Body bytes sent to clients, counted as they go out.", [
      "kind",
      "upstream",
    ]),
    upstreamBytes: counter(
      "upstream_bytes_total",
      "Body bytes received from upstreams, counted as they come in.",
      ["upstream", "kind"],
    ),
    fleetBytes: counter(
      "fleet_bytes_total",
      "Bytes of blobs that this node took from inside its fleet in place of from upstream: from the bucket, from the node that fetches the blob for all (peer), or from what a node that went away had uploaded (salvage). 0 without a fleet.",
      ["from"],
    ),
    fleetAlone: counter(
      "fleet_alone_total",
      "Times that a node of a fleet went to an upstream for itself only: its database did not answer (database), the node that fetches the blob lives but cannot be reached (holder), or there is no room here to keep the blob for others (no-room). 0 without a fleet.",
      ["why"],
    ),
    upstreamRequests: counter("upstream_requests_total", "Requests sent to upstreams.", [
      "upstream",
      "kind",
      "method",
      "status",
    ]),
    trafficServed: counter(
      "traffic_served_bytes_total",
      "Bytes sent to clients in all, as the records have them: over restarts, for as long as there is the storage directory.",
    ),
    trafficFetched: counter(
      "traffic_fetched_bytes_total",
      "Bytes fetched from upstreams in all, likewise. Served less fetched is what was saved; a warm-up makes it smaller until it is used.",
    ),
    firstByteSeconds: histogram(
      "first_byte_seconds",
      "Time from a blob request to its first body byte.",
      ["outcome"],
      [0.001, 0.005, 0.02, 0.1, 0.5, 2, 5, 10, 30],
    ),
    fills: gauge("fills", "Transfers from upstreams, by state.", ["state"]),
    fillsEnded: counter("fills_ended_total", "Transfers from upstreams that ended, by how.", ["end"]),
    waits: gauge("waits", "Readers that wait for a byte that has not come yet."),
    pins: gauge("pins", "Digests that may not be evicted right now."),
    laneErrors: counter("lane_errors_total", "Lane failures, by code.", ["upstream", "code"]),
    originStrikes: counter("origin_strikes_total", "Origins that delivered bytes with a wrong digest.", [
      "upstream",
    ]),
    bypasses: counter(
      "bypasses_total",
      "Blobs that were passed through and not kept, because there was no room.",
    ),
    evictions: counter("evictions_total", "Blobs and partials removed to stay within budget.", ["kind"]),
    evictedIdle: histogram(
      "evicted_idle_seconds",
      "How long a blob had not been used when it was evicted to stay within budget. Short times mean that the budget is too small for what is pulled.",
      [],
      EVICTED_IDLE,
    ),
    damaged: counter("damaged_total", "Stored blobs and manifests that were found damaged.", ["kind"]),
    damagedBytes: gauge("damaged_bytes", "Bytes of damaged blobs that were set aside."),
    scrubbedBytes: counter(
      "scrubbed_bytes_total",
      "Bytes of stored blobs that were hashed again in the background.",
    ),
    diskUsed: gauge(
      "disk_used_bytes",
      "Bytes that blobs, partials and the database take; partials grow as bytes come in.",
    ),
    diskBudget: gauge("disk_budget_bytes", "The budget: storage.maxSize."),
    diskMinFree: gauge(
      "disk_min_free_bytes",
      "Bytes of the disk that stay free: storage.minFree, and always some for the database.",
    ),
    diskFree: gauge("disk_free_bytes", "Free bytes of the disk that the store is on."),
    circuitOpen: gauge(
      "upstream_circuit_open",
      "1 while an upstream fails and requests for it are answered without asking it.",
      ["upstream"],
    ),
    upstreamAway: gauge(
      "upstream_away",
      "1 while an upstream does not answer and what is stored is served. A limit is not counted here, nor what a person has set offline.",
      ["upstream"],
    ),
    upstreamLimited: gauge(
      "upstream_limited",
      "1 while an upstream limits us (429) for all repositories, and what is stored is served.",
      ["upstream"],
    ),
    upstreamOffline: gauge("upstream_offline", "1 while a person has set an upstream offline.", ["upstream"]),
    trouble: gauge(
      "trouble",
      "1 for each thing that is wrong with the store right now; /readyz and `granary status` say what to do about it.",
      ["trouble"],
    ),
    jobs: gauge("jobs", "Jobs that run.", ["kind"]),
    jobsEnded: counter("jobs_ended_total", "Jobs that ended, by how: done, failed, stopped.", [
      "kind",
      "state",
    ]),
    rateLimit: gauge(
      "upstream_ratelimit_limit",
      "How many pulls the upstream allows in a window, as it said last; nothing once that window is over.",
      ["upstream"],
    ),
    rateRemaining: gauge(
      "upstream_ratelimit_remaining",
      "How many pulls of the window are left, as the upstream said last; nothing once that window is over.",
      ["upstream"],
    ),
    proxyConnects: counter(
      "proxy_connects_total",
      "Connections that clients asked the proxy for, by what became of them: intercepted (an upstream's name), tunnelled, or refused.",
      ["result"],
    ),
    routeUnknown: counter("route_unknown_total", "Requests that named no configured upstream."),
  };
  // The first damage must be seen as one more than none: see moment-metrics.ts.
  for (const kind of ["blob", "manifest"]) metrics.damaged.inc({ kind }, 0);
  return metrics;
}
