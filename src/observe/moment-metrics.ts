/**
 * Owns the metrics that are taken at the moment when somebody asks for them: transfers, upstreams, troubles, the sums of the traffic. In
 * between they cost nothing. It reads nothing by itself, and decides nothing.
 */
import type { Metrics } from "./metrics.ts";
import { TROUBLES, type Trouble } from "./troubles.ts";

type UpstreamAtMoment = {
  readonly name: string;
  readonly openBecause?: "away" | "limited" | undefined;
  readonly offlineSince: number | undefined;
  readonly rateLimit: PullsLeft | undefined;
};

type PullsLeft = {
  readonly limit: number;
  readonly remaining: number;
  readonly windowMs: number;
  /** Epoch ms. */
  readonly seenAt: number;
};

export type Moment = {
  /** Epoch ms. */
  readonly now: number;
  readonly fills: readonly { readonly state: string; readonly waits: number }[];
  readonly upstreams: readonly UpstreamAtMoment[];
  /** The keys of what is wrong with the store. */
  readonly troubles: readonly Trouble[];
  /** Bytes of all time, also before this process began. */
  readonly traffic: { readonly served: number; readonly fetched: number };
};

/** To be called before the metrics are told. */
export function reportMoment(metrics: Metrics, moment: Moment): void {
  const { fills, upstreams, troubles, traffic, now } = moment;
  metrics.fills.reset();
  for (const { state } of fills) metrics.fills.inc({ state });
  metrics.waits.set(fills.reduce((sum, { waits }) => sum + waits, 0));
  for (const trouble of TROUBLES) metrics.trouble.set({ trouble }, troubles.includes(trouble) ? 1 : 0);
  setTo(metrics.trafficServed, traffic.served);
  setTo(metrics.trafficFetched, traffic.fetched);
  // An upstream that the settings do not name any more is not told of.
  for (const gauge of upstreamGauges(metrics)) gauge.reset();
  for (const upstream of upstreams) reportUpstream(metrics, upstream, now);
}

function upstreamGauges({ upstreamAway, upstreamLimited, upstreamOffline, ...others }: Metrics) {
  return [upstreamAway, upstreamLimited, upstreamOffline, others.rateLimit, others.rateRemaining];
}

function reportUpstream(metrics: Metrics, state: UpstreamAtMoment, now: number): void {
  const { name: upstream, openBecause, offlineSince, rateLimit } = state;
  const isOffline = offlineSince !== undefined;
  metrics.upstreamOffline.set({ upstream }, isOffline ? 1 : 0);
  // Of an upstream that a person has set offline nobody knows more: it is not asked.
  metrics.upstreamAway.set({ upstream }, !isOffline && openBecause === "away" ? 1 : 0);
  metrics.upstreamLimited.set({ upstream }, !isOffline && openBecause === "limited" ? 1 : 0);
  if (rateLimit !== undefined && isCurrent(rateLimit, now)) {
    metrics.rateLimit.set({ upstream }, rateLimit.limit);
    metrics.rateRemaining.set({ upstream }, rateLimit.remaining);
  }
  beginAtZero(metrics, upstream);
}

/** When its window is over, all of the pulls are back, and nobody has said so yet: an old number would only alarm. */
function isCurrent({ seenAt, windowMs }: PullsLeft, now: number): boolean {
  return windowMs === 0 || now - seenAt < windowMs;
}

/**
 * Counters that only come into being with their first number hide that number from Prometheus, which counts what is added to one that it
 * has seen; of bytes that is a whole pull (https://prometheus.io/docs/practices/instrumentation/#avoid-missing-metrics).
 */
function beginAtZero(metrics: Metrics, upstream: string): void {
  metrics.originStrikes.inc({ upstream }, 0);
  for (const kind of ["manifest", "blob"]) {
    metrics.clientBytes.inc({ upstream, kind }, 0);
    metrics.upstreamBytes.inc({ upstream, kind }, 0);
  }
}

/** The number of a counter that is kept elsewhere, and is larger than what a process counts itself. */
function setTo(counter: Metrics["trafficServed"], value: number): void {
  counter.reset();
  counter.inc(value);
}
