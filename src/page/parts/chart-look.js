/**
 * Owns how the chart of traffic looks: what uPlot is told of its lines, axes and colours. The area between the two lines has the accent colour,
 * because it is what was saved: bytes to clients that did not have to come over the internet.
 */
import uPlot from "uplot";
import { size } from "../format.js";

/** @typedef {{ readonly at: number, readonly served: number, readonly fetched: number }} Point */
/** @typedef {"minute" | "hour" | "day" | "month"} Unit */

export const CHART_HEIGHT = 224;
const MINUTE_S = 60;
/** A scale for nothing: without it the axis would name parts of a byte. */
const LEAST_SCALE = 1e6;

/** @type {Readonly<Record<Unit, Intl.DateTimeFormat>>} */
const TICKS = {
  minute: new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" }),
  hour: new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" }),
  day: new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" }),
  month: new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric" }),
};

/**
 * The name of a point: "14:32", "Sat 14:00", "28 Nov", "Nov 2026".
 * @param {number} at epoch ms
 * @param {Unit} unit
 */
export function timeName(at, unit) {
  return TICKS[unit].format(at);
}

/** @param {string} name */
function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** @param {string} color @param {number} alpha */
function faint(color, alpha) {
  return `color-mix(in srgb, ${color} ${alpha}%, transparent)`;
}

/**
 * A point stands for its whole minute: minutes are steps, and the area between two of them is the sum of bytes that it shows.
 * @param {readonly Point[]} points
 * @param {Unit} unit
 * @returns {uPlot.AlignedData}
 */
export function chartData(points, unit) {
  const last = points.at(-1);
  const all =
    unit === "minute" && last !== undefined
      ? [...points, { ...last, at: last.at + MINUTE_S * 1000 }]
      : points;
  return [
    all.map(({ at }) => at / 1000),
    all.map(({ served }) => served),
    all.map(({ fetched }) => fetched),
    all.map(({ served, fetched }) => Math.min(served, fetched)),
  ];
}

/**
 * @param {number} width
 * @param {Unit} unit
 * @param {(index: number | undefined) => void} pointed which point the cursor is at
 * @returns {uPlot.Options}
 */
export function chartOptions(width, unit, pointed) {
  const [quiet, edge, served, fetched] = ["--quiet", "--edge", "--served", "--fetched"].map(colour);
  const axis = {
    stroke: quiet ?? "",
    ticks: { show: false },
    font: `12px ${getComputedStyle(document.body).fontFamily}`,
  };
  return {
    width,
    height: CHART_HEIGHT,
    padding: [12, 28, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    hooks: { setCursor: [({ cursor: { idx } }) => pointed(idx ?? undefined)] },
    scales: { x: { time: true }, y: { range: (_, __, most) => [0, Math.max(LEAST_SCALE, most * 1.08)] } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 88,
        size: 28,
        values: (_, ticks) => ticks.map((tick) => timeName(tick * 1000, unit)),
      },
      {
        ...axis,
        grid: { stroke: faint(edge ?? "", 70), width: 1 },
        size: 64,
        space: 32,
        values: (_, ticks) => ticks.map((tick) => (tick === 0 ? "0" : size(tick))),
      },
    ],
    ...(unit === "minute" ? steps(served ?? "", fetched ?? "") : bars(served ?? "", fetched ?? "")),
  };
}

/**
 * Where more was fetched than served, as by warm-ups, the area between the lines has the colour of what was fetched.
 * @param {string} served
 * @param {string} fetched
 * @returns {Pick<uPlot.Options, "series" | "bands">}
 */
function steps(served, fetched) {
  const paths = uPlot.paths.stepped?.({ align: 1 });
  const shared = { ...(paths && { paths }), points: { show: false } };
  return {
    series: [
      {},
      { label: "to clients", stroke: served, fill: faint(served, 55), width: 2, ...shared },
      { label: "from the internet", stroke: fetched, fill: faint(fetched, 35), width: 2, ...shared },
      { label: "both", fill: faint(fetched, 18), width: 0, ...shared },
    ],
    bands: [{ series: [1, 2] }, { series: [2, 1] }],
  };
}

/**
 * @param {string} served
 * @param {string} fetched
 * @returns {Pick<uPlot.Options, "series">}
 */
function bars(served, fetched) {
  const paths = uPlot.paths.bars?.({ size: [0.7, 60], radius: 0.15 });
  const shared = { ...(paths && { paths }), width: 0, points: { show: false } };
  return {
    series: [
      {},
      { label: "to clients", fill: faint(served, 85), ...shared },
      { label: "from the internet", fill: faint(fetched, 90), ...shared },
      { label: "both", show: false },
    ],
  };
}
