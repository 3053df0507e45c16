/**
 * Owns the bars of traffic by hour, day or month: bytes to clients, and before them bytes from the internet; what is seen between the two tops was
 * saved. The same is there as a table, for who cannot see them and for who wants the numbers.
 */
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { counted, size } from "../format.js";
import { isLittleMark, periodMark, periodTitle, scaleLines } from "../periods.js";

/** @typedef {import("../periods.js").Unit} Unit */
/** @typedef {import("../periods.js").Sums & { readonly name: string }} Period */
/** @typedef {{ readonly periods: readonly Period[], readonly unit: Unit, readonly label: string }} Props the oldest first */

/** @param {Props} props */
export function PeriodBars({ periods, unit, label }) {
  const [chosen, setChosen] = useState(/** @type {string | undefined} */ (undefined));
  const most = Math.max(0, ...periods.map(({ served, fetched }) => Math.max(served, fetched)));
  const at = periods.findIndex(({ name }) => name === chosen);
  const shown = periods[at];
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const from = at === -1 ? periods.length - (step === 1 ? 1 : 0) : at;
    setChosen(periods[Math.min(periods.length - 1, Math.max(0, from + step))]?.name);
  };
  /** @param {number} value */
  const height = (value) => ({ height: `${most === 0 ? 0 : (Math.max(0, value) / (most * 1.05)) * 100}%` });
  return html`<figure class="figure periods">
    <div class="plot" tabindex="0" role="img" aria-label=${`${label}. The same is in the table below.`} onKeyDown=${onKeyDown} onPointerLeave=${() => setChosen(undefined)} onBlur=${() => setChosen(undefined)}>
      ${scaleLines(most).map((value) => html`<div class="scale-line" key=${value} style=${{ bottom: `${(value / (most * 1.05)) * 100}%` }}><span>${size(value)}</span></div>`)}
      <div class="bars">${periods.map(
        (
          { name, served, fetched },
          index,
        ) => html`<div key=${name} class=${`slot ${name === chosen ? "chosen" : ""}`} onPointerEnter=${() => setChosen(name)}>
          <i class="is-served" style=${height(served)}></i><i class="is-fetched" style=${height(fetched)}></i>
          <span class=${`below ${isLittleMark(name, unit) ? "wide" : ""}`}>${periodMark(name, unit, index)}</span></div>`,
      )}</div>
    </div>
    <figcaption class="legend"><span><i class="is-served"></i>to clients</span><span><i class="is-fetched"></i>from the internet</span>
      <span class="reading" aria-live="polite">${shown === undefined ? "" : reading(shown, unit)}</span></figcaption>
  </figure>
  <details class="numbers"><summary>The numbers as a table</summary><div class="scroll" tabindex="0" role="region" aria-label="The numbers"><table>
    <caption class="hidden">${label}</caption>
    <thead><tr><th scope="col">${{ hour: "Hour", day: "Day", month: "Month" }[unit]}</th><th scope="col" class="number-cell">To clients</th><th scope="col" class="number-cell">From the internet</th><th scope="col" class="number-cell">Saved</th><th scope="col" class="number-cell">Pulls</th></tr></thead>
    <tbody>${periods.toReversed().map((period) => html`<tr key=${period.name}><th scope="row">${periodTitle(period.name, unit)}</th><td class="number-cell" data-bytes=${period.served}>${size(period.served)}</td><td class="number-cell" data-bytes=${period.fetched}>${size(period.fetched)}</td><td class="number-cell" data-bytes=${period.saved}>${size(period.saved)}</td><td class="number-cell">${period.pulls.toLocaleString("en")}</td></tr>`)}</tbody>
  </table></div></details>`;
}

/** @param {Period} period @param {Unit} unit */
function reading({ name, served, fetched, saved, pulls }, unit) {
  return `${periodTitle(name, unit)}: ${size(served)} to clients, ${size(fetched)} from the internet, ${size(saved)} saved, ${counted(pulls, "pull")}`;
}
