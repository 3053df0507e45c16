/**
 * Owns a chart over time of bytes to clients above bytes from the internet, and its values: at the pointer, at the arrow keys, and as a table.
 * uPlot draws it, chart-look.js says how.
 */
import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { size } from "../format.js";
import { CHART_HEIGHT, chartData, chartOptions, timeName } from "./chart-look.js";

/** @typedef {import("./chart-look.js").Point} Point */
/** @typedef {{ readonly points: readonly Point[], readonly unit: import("./chart-look.js").Unit, readonly label: string }} Props */

/** @param {Props} props */
export function TrafficChart({ points, unit, label }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const chart = useRef(/** @type {uPlot | undefined} */ (undefined));
  const [pointed, setPointed] = useState(/** @type {number | undefined} */ (undefined));
  const most = points.length - 1;
  const at = pointed === undefined ? undefined : Math.min(most, pointed);
  useEffect(() => drawOn(place, chart, points, unit, setPointed), [unit]);
  useEffect(() => chart.current?.setData(chartData(points, unit)), [points]);
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    const next = indexAfter(event.key, at ?? most, most);
    if (next === null) return;
    event.preventDefault();
    pointAt(chart.current, next);
  };
  const point = at === undefined ? undefined : points[at];
  return html`<figure class="stack figure">
    <${Legend} ...${point === undefined ? { name: label, ...sumOf(points) } : { name: timeName(point.at, unit), ...point }} />
    <div class="chart" ref=${place} tabindex="0" role="slider" aria-label=${`${label}; the arrow keys read it`} aria-valuemin="0" aria-valuemax=${Math.max(0, most)}
      aria-valuenow=${at ?? most} aria-valuetext=${valueText(points[at ?? most], unit)} onKeyDown=${onKeyDown} onBlur=${() => pointAt(chart.current, undefined)}></div>
    <${Values} points=${points} unit=${unit} label=${label} />
  </figure>`;
}

/**
 * Makes the chart and keeps it as wide as its place and in the colours of the page; the returned function takes it off.
 * @param {{ current: HTMLElement | null }} place
 * @param {{ current: uPlot | undefined }} chart
 * @param {readonly Point[]} points
 * @param {Props["unit"]} unit
 * @param {(index: number | undefined) => void} pointed
 */
function drawOn(place, chart, points, unit, pointed) {
  const element = place.current;
  if (element === null) return undefined;
  const make = () => {
    const data = chart.current?.data ?? chartData(points, unit);
    chart.current?.destroy();
    chart.current = new uPlot(chartOptions(element.clientWidth, unit, pointed), data, element);
  };
  make();
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", make);
  const watcher = new ResizeObserver(() =>
    chart.current?.setSize({ width: element.clientWidth, height: CHART_HEIGHT }),
  );
  watcher.observe(element);
  return () => {
    scheme.removeEventListener("change", make);
    watcher.disconnect();
    chart.current?.destroy();
    chart.current = undefined;
  };
}

/**
 * The point that a key leads to; undefined for none, null when the key means nothing here.
 * @param {string} key
 * @param {number} at
 * @param {number} most
 */
function indexAfter(key, at, most) {
  if (key === "ArrowLeft" || key === "ArrowDown") return Math.max(0, at - 1);
  if (key === "ArrowRight" || key === "ArrowUp") return Math.min(most, at + 1);
  if (key === "Home") return 0;
  if (key === "End") return most;
  return key === "Escape" ? undefined : null;
}

/** @param {uPlot | undefined} chart @param {number | undefined} index */
function pointAt(chart, index) {
  const time = index === undefined ? undefined : chart?.data[0][index];
  chart?.setCursor(
    time === undefined ? { left: -10, top: -10 } : { left: chart.valToPos(time, "x"), top: 0 },
  );
}

/**
 * @param {Point | undefined} point
 * @param {Props["unit"]} unit
 */
function valueText(point, unit) {
  if (point === undefined) return "nothing yet";
  const { at, served, fetched } = point;
  return `${timeName(at, unit)}: ${size(served)} to clients, ${size(fetched)} from the internet, ${size(served - fetched)} saved`;
}

/**
 * What the lines are, with their numbers: at the cursor, and of the whole time while there is none. Nothing stands over the chart.
 * @param {{ readonly name: string, readonly served: number, readonly fetched: number }} props
 */
function Legend({ name, served, fetched }) {
  return html`<figcaption class="legend chart-legend"><strong>${name}</strong>
    <span><i class="is-served-line"></i>to clients <b>${size(served)}</b></span>
    <span><i class="is-fetched-line"></i>from the internet <b>${size(fetched)}</b></span>
    <span><i class="is-saved-area"></i>saved <b>${size(served - fetched)}</b></span></figcaption>`;
}

/** @param {readonly Point[]} points */
function sumOf(points) {
  return {
    served: points.reduce((sum, { served }) => sum + served, 0),
    fetched: points.reduce((sum, { fetched }) => sum + fetched, 0),
  };
}

/** For who reads numbers rather than lines. @param {Props} props */
function Values({ points, unit, label }) {
  const [isOpen, setOpen] = useState(false);
  const withTraffic = points.filter(({ served, fetched }) => served > 0 || fetched > 0).reverse();
  return html`<details class="small" onToggle=${(/** @type {Event} */ { currentTarget }) => setOpen(currentTarget instanceof HTMLDetailsElement && currentTarget.open)}>
    <summary class="quiet">The numbers as a table</summary>
    ${
      isOpen &&
      html`<div class="scroll chart-values" tabindex="0" role="region" aria-label=${label}><table><thead><tr><th scope="col">When</th><th scope="col" class="number-cell">To clients</th>
      <th scope="col" class="number-cell">From the internet</th><th scope="col" class="number-cell">Saved</th></tr></thead>
      <tbody>${withTraffic.map(
        ({
          at,
          served,
          fetched,
        }) => html`<tr key=${at}><th scope="row">${timeName(at, unit)}</th><td class="number-cell">${size(served)}</td>
        <td class="number-cell">${size(fetched)}</td><td class="number-cell">${size(served - fetched)}</td></tr>`,
      )}</tbody></table>${withTraffic.length === 0 && html`<p class="empty">No traffic in this time.</p>`}</div>`
    }
  </details>`;
}
