/**
 * Owns what a healthy Granary looks like to Prometheus: what a real one told, gone on with for hours in the ways in which good days go. No
 * alert may fire on any of them.
 */
import { type Exposition, familyOf, type Sample } from "./exposition.ts";
import type { MadeSeries } from "./promtool.ts";

export type GoodDay = { readonly title: string; readonly series: readonly MadeSeries[] };

/** Minutes, each with a sample. */
export const MINUTES = 240;

/** `found`: what a real Granary told after pulls that went well. */
export function goodDays(found: Exposition): readonly GoodDay[] {
  const grows = (sample: Sample) =>
    ["counter", "histogram"].includes(found.types.get(familyOf(sample.name, found)) ?? "");
  const day = (title: string, shape: Shape, more: readonly MadeSeries[] = []): GoodDay => ({
    title,
    series: withInstead(
      [UP, ...found.samples.map((sample) => madeOf(sample, grows(sample) ? shape : flat))],
      more,
    ),
  });
  return [
    day("an idle cache", flat),
    day("a busy cache", busy),
    day("a process that has just begun, whose series are not there yet", (value) => `_x30 ${busy(value)}`),
    day(
      "a process that was started again, and counts from nothing",
      (value) => `${busy(value, 100)} ${busy(value, 120)}`,
    ),
    day("a Prometheus that has just begun, before its first scrape", () => "_x240", [
      { ...UP, values: "_x10 1x230" },
    ]),
    day("an upgrade of two minutes", busy, [{ ...UP, values: "1x60 0x1 1x170" }]),
    day("a full cache that lets go what nobody used for weeks", busy, FULL),
    day("an upstream that is away for five minutes", busy, outage("1x4")),
    day("an upstream that was away, and that a person has set offline", busy, SET_OFFLINE),
    day("a blob that did not fit while a large directory was counted at the start", busy, COUNTING),
    day("a machine with other jobs of its own", busy, OTHERS),
  ];
}

/** The values of a counter that has `value` now. */
type Shape = (value: number) => string;

const flat: Shape = (value) => `${value}x${MINUTES}`;

function busy(value: number, minutes = MINUTES): string {
  return `${value}+${value / 5}x${minutes}`;
}

const UP: MadeSeries = { name: "up", values: `1x${MINUTES}` };

function madeOf({ name, labels, value }: Sample, shape: Shape): MadeSeries {
  // promtool's time begins at 0.
  return { name, labels, values: shape(name === "process_start_time_seconds" ? 0 : value) };
}

const FAKE = { upstream: "fake.test" };
const FAILED = { ...FAKE, kind: "manifest", outcome: "error", status: "502" };

/** All that is asked fails while it is away, and clients try again: ten requests a minute. */
function outage(away: string): MadeSeries[] {
  return [
    { name: "granary_upstream_away", labels: FAKE, values: `0x59 ${away} 0x170` },
    { name: "granary_requests_total", labels: FAILED, values: "0x59 0+10x5 50x170" },
  ];
}

/** Away at 60 minutes, set offline by a person at 65, and back at 180: warm-ups are held, and what is not stored is refused at once. */
const SET_OFFLINE: readonly MadeSeries[] = [
  { name: "granary_upstream_away", labels: FAKE, values: "0x59 1x4 0x170" },
  { name: "granary_upstream_offline", labels: FAKE, values: "0x64 1x114 0x60" },
  { name: "granary_requests_total", labels: FAILED, values: "0x59 0+10x120 1200x60" },
  { name: "granary_waits", values: "0x64 4x114 0x60" },
  {
    name: "granary_upstream_bytes_total",
    labels: { ...FAKE, kind: "blob" },
    values: "0+9x64 576x114 576+9x60",
  },
  {
    name: "granary_upstream_bytes_total",
    labels: { ...FAKE, kind: "manifest" },
    values: "0+9x64 576x114 576+9x60",
  },
];

const GIB = 2 ** 30;
const FULL: readonly MadeSeries[] = [
  { name: "granary_disk_used_bytes", values: `${200 * GIB}x${MINUTES}` },
  { name: "granary_disk_budget_bytes", values: `${200 * GIB}x${MINUTES}` },
  { name: "granary_disk_free_bytes", values: `${50 * GIB}x${MINUTES}` },
  { name: "granary_disk_min_free_bytes", values: `${5 * GIB}x${MINUTES}` },
  { name: "granary_evicted_idle_seconds_bucket", labels: { le: "86400" }, values: `0x${MINUTES}` },
  { name: "granary_evicted_idle_seconds_bucket", labels: { le: "+Inf" }, values: `0+4x${MINUTES}` },
  { name: "granary_evicted_idle_seconds_count", values: `0+4x${MINUTES}` },
];

const COUNTING: readonly MadeSeries[] = [{ name: "granary_bypasses_total", values: "0x2 6x237" }];

const OTHERS: readonly MadeSeries[] = [
  { name: "up", labels: { job: "node" }, values: `0x${MINUTES}` },
  { name: "process_open_fds", labels: { job: "node" }, values: `999x${MINUTES}` },
  { name: "process_max_fds", labels: { job: "node" }, values: `1000x${MINUTES}` },
  { name: "process_start_time_seconds", labels: { job: "node" }, values: `0+60x${MINUTES}` },
];

/** promtool takes a series once. */
function withInstead(series: readonly MadeSeries[], more: readonly MadeSeries[]): MadeSeries[] {
  const keyOf = ({ name, labels = {} }: MadeSeries) =>
    `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
  return [...new Map([...series, ...more].map((each) => [keyOf(each), each])).values()];
}
