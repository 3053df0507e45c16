/**
 * Owns every metric's name, labels and meaning (prom-client). One instance per process or per test; layers are
 * handed this object and count into it, nothing reads it back but `/metrics` and tests.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { version } from "../version.ts";
import { addProcessMetrics } from "./process-metrics.ts";

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: `granary_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge({ name: `granary_${name}`, help, labelNames, registers });

  addProcessMetrics(registry);
  gauge("build_info", "1; the labels say what runs.", ["version", "node"]).set(
    { version, node: process.versions.node },
    1,
  );
  return {
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
    upstreamRequests: counter("upstream_requests_total", "Requests sent to upstreams.", [
      "upstream",
      "kind",
      "method",
      "status",
    ]),
    firstByteSeconds: new Histogram({
      name: "granary_first_byte_seconds",
      help: "Time from a blob request to its first body byte.",
      labelNames: ["outcome"] as const,
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 5, 10, 30],
      registers,
    }),
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
    diskFree: gauge("disk_free_bytes", "Free bytes of the disk that the store is on."),
    circuitOpen: gauge(
      "upstream_circuit_open",
      "1 while an upstream fails and requests for it are answered without asking it.",
      ["upstream"],
    ),
    rateLimit: gauge(
      "upstream_ratelimit_limit",
      "How many pulls the upstream allows in a window, as it says.",
      ["upstream"],
    ),
    rateRemaining: gauge(
      "upstream_ratelimit_remaining",
      "How many pulls of the window are left, as the upstream says.",
      ["upstream"],
    ),
    routeUnknown: counter("route_unknown_total", "Requests that named no configured upstream."),
  };
}
