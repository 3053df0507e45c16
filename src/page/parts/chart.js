/** Owns a chart over time of bytes to clients above bytes from the internet. uPlot draws it; the colours are those of the page. */
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { size } from "../format.js";

/** @typedef {{ readonly at: number, readonly served: number, readonly fetched: number }} Point */
/** @typedef {{ readonly points: readonly Point[], readonly unit: "minute" | "hour" | "day" | "month", readonly label: string }} Props */

const HEIGHT = 210;

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
 * @param {number} width
 * @param {Props["unit"]} unit
 * @returns {uPlot.Options}
 */
function options(width, unit) {
  const [quiet, edge] = [colour("--quiet"), colour("--edge")];
  const axis = {
    stroke: quiet,
    grid: { stroke: edge, width: 1 },
    ticks: { show: false },
    font: "12px system-ui",
  };
  const isBars = unit !== "minute";
  const paths = isBars ? uPlot.paths.bars?.({ size: [0.7, 60], radius: 0.15 }) : uPlot.paths.spline?.();
  const shared = { ...(paths && { paths }), points: { show: false } };
  return {
    width,
    height: HEIGHT,
    padding: [12, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 7 } },
    scales: { x: { time: true }, y: { range: (_, __, most) => [0, Math.max(1, most * 1.08)] } },
    axes: [
      { ...axis, grid: { show: false } },
      { ...axis, size: 68, values: (_, ticks) => ticks.map((tick) => size(tick)) },
    ],
    series: [
      {},
      {
        label: "to clients",
        stroke: colour("--served"),
        fill: faint(colour("--served"), isBars ? 85 : 22),
        width: isBars ? 0 : 2,
        ...shared,
      },
      {
        label: "from the internet",
        stroke: colour("--fetched"),
        fill: faint(colour("--fetched"), isBars ? 90 : 30),
        width: isBars ? 0 : 2,
        ...shared,
      },
    ],
  };
}

/**
 * @param {readonly Point[]} points
 * @returns {uPlot.AlignedData}
 */
function dataOf(points) {
  return [
    points.map(({ at }) => at / 1000),
    points.map(({ served }) => served),
    points.map(({ fetched }) => fetched),
  ];
}

/** @param {Props} props */
export function TrafficChart({ points, unit, label }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const chart = useRef(/** @type {uPlot | undefined} */ (undefined));
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const make = () => {
      chart.current?.destroy();
      chart.current = new uPlot(options(element.clientWidth, unit), dataOf(points), element);
    };
    make();
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", make);
    const watcher = new ResizeObserver(() =>
      chart.current?.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    watcher.observe(element);
    return () => {
      scheme.removeEventListener("change", make);
      watcher.disconnect();
      chart.current?.destroy();
      chart.current = undefined;
    };
  }, [unit]);
  useEffect(() => chart.current?.setData(dataOf(points)), [points]);
  const served = points.reduce((sum, point) => sum + point.served, 0);
  const fetched = points.reduce((sum, point) => sum + point.fetched, 0);
  return html`<figure class="stack figure">
    <div class="chart" ref=${place} role="img" aria-label=${`${label}: ${size(served)} to clients, ${size(fetched)} from the internet`}></div>
    <figcaption class="legend"><span><i class="is-served"></i>to clients ${size(served)}</span>
      <span><i class="is-fetched"></i>from the internet ${size(fetched)}</span><span>${label}</span></figcaption>
  </figure>`;
}
