/** Owns what each alert is for, as made-up series on which it must fire: one emergency for each, with the labels and the sentence that a person then reads. */
import { type MadeSeries, TARGET } from "./promtool.ts";

export type Emergency = {
  readonly title: string;
  readonly alert: string;
  /** When it must have fired; a sample is a minute. */
  readonly at: string;
  /** When it must not have fired yet. */
  readonly notAt: string;
  readonly series: readonly MadeSeries[];
  /** Besides severity and those of TARGET. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly summary: string;
  /** Alerts that fire as well by then, since they are true too. */
  readonly also?: readonly string[];
};

const LAB = TARGET.instance;
const HUB = { upstream: "docker.io" };

function one(name: string, values: string, labels: Readonly<Record<string, string>> = {}): MadeSeries {
  return { name, labels, values };
}

/** Requests that ended so, `each` a minute. */
function requests(outcome: string, status: string, values: string, kind = "manifest"): MadeSeries {
  return one("granary_requests_total", values, { ...HUB, kind, outcome, status });
}

const NOBODY_SET_OFFLINE = one("granary_upstream_offline", "0x200", HUB);

export const EMERGENCIES: readonly Emergency[] = [
  {
    title: "a Granary that does not answer",
    alert: "GranaryDown",
    ...{ notAt: "12m", at: "15m" },
    series: [one("up", "1x10 0x20")],
    summary: `Granary at ${LAB} does not answer`,
  },
  {
    title: "a Prometheus in which no job is called granary",
    alert: "GranaryNotScraped",
    ...{ notAt: "10m", at: "20m" },
    series: [one("up", "1x30", { job: "node" })],
    labels: { job: "granary", instance: "" },
    summary: "Prometheus scrapes no Granary",
  },
  {
    title: "a process that starts again and again",
    alert: "GranaryKeepsRestarting",
    ...{ notAt: "35m", at: "45m" },
    series: [one("process_start_time_seconds", "0x9 600x9 1200x9 1800x9 2400x20")],
    summary: `Granary at ${LAB} has started 4 times within an hour`,
  },
  {
    title: "one request in twenty that fails, of one upstream, beside a busy one",
    alert: "GranaryErrors",
    ...{ notAt: "20m", at: "60m" },
    series: [
      requests("error", "502", "0+1x100"),
      requests("hit", "200", "0+19x100"),
      one("granary_requests_total", "0+9000x100", {
        upstream: "ghcr.io",
        kind: "blob",
        outcome: "hit",
        status: "200",
      }),
      NOBODY_SET_OFFLINE,
    ],
    labels: HUB,
    summary: `Granary at ${LAB} fails 5% of the requests for docker.io`,
  },
  {
    title: "half of the requests that fail",
    alert: "GranaryManyErrors",
    ...{ notAt: "10m", at: "25m" },
    series: [requests("error", "502", "0+10x60"), requests("hit", "200", "0+10x60"), NOBODY_SET_OFFLINE],
    labels: HUB,
    summary: `Granary at ${LAB} fails 50% of the requests for docker.io`,
  },
  {
    title: "clients that wait while no byte comes in",
    alert: "GranaryClientsWait",
    ...{ notAt: "15m", at: "25m" },
    series: [
      one("granary_waits", "0x9 3x60"),
      one("granary_upstream_bytes_total", "0+1000x10 10000x50", { ...HUB, kind: "blob" }),
      NOBODY_SET_OFFLINE,
    ],
    summary: `At ${LAB} 3 readers wait, and no byte comes in`,
  },
  {
    title: "an upstream that cannot be reached",
    alert: "GranaryUpstreamDown",
    ...{ notAt: "10m", at: "20m" },
    series: [one("granary_upstream_away", "0x5 1x30", HUB)],
    labels: HUB,
    summary: `docker.io cannot be reached from Granary at ${LAB}`,
  },
  {
    title: "a line that is cut",
    alert: "GranaryLineDown",
    ...{ notAt: "10m", at: "20m" },
    series: ["docker.io", "ghcr.io", "quay.io"].map((upstream) =>
      one("granary_upstream_away", upstream === "quay.io" ? "0x40" : "0x5 1x30", { upstream }),
    ),
    also: ["GranaryUpstreamDown"],
    summary: `2 registries at once cannot be reached from Granary at ${LAB}`,
  },
  {
    title: "an upstream that limits us for long",
    alert: "GranaryUpstreamLimits",
    ...{ notAt: "15m", at: "25m" },
    series: [one("granary_upstream_limited", "0x5 1x30", HUB)],
    labels: HUB,
    summary: `docker.io limits Granary at ${LAB} (429)`,
  },
  {
    title: "few pulls that Docker Hub leaves",
    alert: "GranaryPullBudgetLow",
    ...{ notAt: "3m", at: "15m" },
    series: [
      one("granary_upstream_ratelimit_remaining", "20 15 10 5x30", HUB),
      one("granary_upstream_ratelimit_limit", "100x40", HUB),
    ],
    labels: HUB,
    summary: `docker.io leaves Granary at ${LAB} 5% of its pulls`,
  },
  {
    title: "an upstream that delivers wrong bytes, once",
    alert: "GranaryWrongBytes",
    ...{ notAt: "9m", at: "15m" },
    series: [one("granary_origin_strikes_total", "0x9 1x30", HUB)],
    labels: HUB,
    summary: `docker.io delivered bytes with a wrong digest to Granary at ${LAB}`,
  },
  {
    title: "a disk on which nothing new can be kept",
    alert: "GranaryKeepsNothing",
    ...{ notAt: "7m", at: "15m" },
    series: [one("granary_trouble", "0x4 1x30", { trouble: "room" })],
    labels: { trouble: "room" },
    summary: `Granary at ${LAB} has no room for anything new`,
  },
  {
    title: "a cache that bypasses",
    alert: "GranaryBypasses",
    ...{ notAt: "80m", at: "100m" },
    series: [one("granary_bypasses_total", "0x89 16x60"), one("process_start_time_seconds", "0x200")],
    summary: `Granary at ${LAB} passed blobs through 16 times within an hour without keeping them`,
  },
  {
    title: "a budget that is too small for what is pulled in a day",
    alert: "GranaryBudgetLow",
    ...{ notAt: "20m", at: "90m" },
    series: [
      one("granary_evicted_idle_seconds_bucket", "0+3x200", { le: "86400" }),
      one("granary_evicted_idle_seconds_count", "0+4x200"),
    ],
    summary: `75% of what Granary at ${LAB} evicts was used within the last day`,
  },
  {
    title: "keep rules that leave no room",
    alert: "GranaryKeepRulesFillBudget",
    ...{ notAt: "15m", at: "30m" },
    series: [one("granary_trouble", "0x5 1x40", { trouble: "kept" })],
    labels: { trouble: "kept" },
    summary: `Keep rules leave no room for what clients pull through Granary at ${LAB}`,
  },
  {
    title: "a disk that is short",
    alert: "GranaryDiskShort",
    ...{ notAt: "15m", at: "30m" },
    series: [
      one("granary_disk_free_bytes", "6e9x5 4294967296x40"),
      one("granary_disk_min_free_bytes", "5368709120x60"),
    ],
    summary: `The disk of Granary at ${LAB} has only 4GiB free`,
  },
  {
    title: "a disk that others fill",
    alert: "GranaryDiskFilledByOthers",
    ...{ notAt: "60m", at: "180m" },
    series: [
      one("granary_disk_free_bytes", "30000000000-30000000x200"),
      one("granary_disk_used_bytes", "10000000000x200"),
      one("granary_disk_min_free_bytes", "5368709120x200"),
      one("granary_disk_budget_bytes", "214748364800x200"),
    ],
    summary: `Others fill the disk of Granary at ${LAB}; within a day there is no room for its blobs`,
  },
  {
    title: "one damaged blob, the first that there ever was",
    alert: "GranaryDamagedBlobs",
    ...{ notAt: "9m", at: "15m" },
    series: [
      one("granary_damaged_total", "0x9 1x30", { kind: "blob" }),
      one("granary_damaged_total", "0x40", { kind: "manifest" }),
    ],
    summary: `Stored blobs or manifests at ${LAB} were found damaged`,
  },
  {
    title: "a disk that fails",
    alert: "GranaryDiskFails",
    ...{ notAt: "65m", at: "80m" },
    series: [
      one("granary_damaged_total", "0x69 12x30", { kind: "blob" }),
      one("granary_damaged_total", "0x69 8x30", { kind: "manifest" }),
    ],
    also: ["GranaryDamagedBlobs"],
    summary: `20 stored blobs or manifests at ${LAB} were found damaged within an hour`,
  },
  {
    title: "a database that cannot be written",
    alert: "GranaryStoreTrouble",
    ...{ notAt: "15m", at: "30m" },
    series: [one("granary_trouble", "0x5 1x40", { trouble: "metadata-writes" })],
    labels: { trouble: "metadata-writes" },
    summary: `Granary at ${LAB} has trouble with its store (metadata-writes)`,
  },
  {
    title: "a warm-up that failed",
    alert: "GranaryJobFailed",
    ...{ notAt: "9m", at: "15m" },
    series: [one("granary_jobs_ended_total", "0x9 1x30", { kind: "warm", state: "failed" })],
    labels: { kind: "warm", state: "failed" },
    summary: `A warm job of Granary at ${LAB} failed`,
  },
  {
    title: "few file descriptors that are left",
    alert: "GranaryFileDescriptorsLow",
    ...{ notAt: "10m", at: "20m" },
    series: [one("process_open_fds", "100x5 900x30"), one("process_max_fds", "1000x40")],
    summary: `Granary at ${LAB} has 90% of its file descriptors open`,
  },
  {
    title: "an event loop that lags",
    alert: "GranaryEventLoopLags",
    ...{ notAt: "8m", at: "30m" },
    series: [one("nodejs_eventloop_lag_seconds", "0.01 0.5x40")],
    summary: `Granary at ${LAB} takes 500ms until it comes to a question`,
  },
];

/** A sample is five minutes here: it compares with the day before. */
export const LATE_EMERGENCY: Emergency = {
  title: "hits that nearly all become misses",
  alert: "GranaryHitRatioCollapsed",
  ...{ notAt: "30h", at: "37h" },
  series: [
    requests("hit", "200", "0+9x360 3240+1x100", "blob"),
    requests("miss", "200", "0+1x360 360+9x100", "blob"),
  ],
  summary: `Only 10% of the blobs that clients ask ${LAB} for are here or on their way`,
};
