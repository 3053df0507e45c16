/** Owns what stands first and largest: how many bytes did not have to come over the internet, and the last hour of it. */
import { html } from "htm/preact";
import { counted, size, sizeParts } from "../format.js";
import { minutes } from "../minutes.js";
import { TrafficChart } from "../parts/chart.js";

/** @typedef {import("../live.js").Status} Status */

/** @param {{ readonly traffic: Status["traffic"] }} props */
export function Saved({ traffic: { all, today } }) {
  return html`<section class="card hero" aria-labelledby="saved">
    <div class="stack">
      <h2 id="saved" class="quiet">Kept off your internet line</h2>
      <p class="number"><${Amount} bytes=${all.saved} /></p>
      <p class="today"><${Amount} bytes=${today.saved} /> <span class="quiet">today</span></p>
      <p class="quiet">${ratioText(all)}</p>
      <p class="small quiet">${size(all.served)} went to clients, ${size(all.fetched)} came from the internet. ${counted(all.pulls, "pull")}, ${today.pulls.toLocaleString("en")} of them today.</p>
    </div>
    <${TrafficChart} points=${minutes.value} unit="minute" label="The last hour" />
  </section>`;
}

/** Less than nothing is nothing: the sentence below says why. @param {{ readonly bytes: number }} props */
function Amount({ bytes }) {
  const [number, unit] = sizeParts(Math.max(0, bytes));
  return html`<strong>${number}</strong><small>${unit}</small>`;
}

/**
 * What the number means, as a sentence.
 * @param {{ readonly served: number, readonly fetched: number, readonly saved: number }} all
 */
function ratioText({ served, fetched, saved }) {
  if (served === 0 && fetched === 0) return "Nothing went through here yet.";
  if (saved < 0)
    return `${size(fetched)} were fetched, and ${size(served)} of that were asked for so far: the rest is here for when it is needed.`;
  if (fetched === 0) return "Nothing had to come from the internet.";
  const times = served / fetched;
  if (times < 1.05)
    return "Nearly everything was asked for once until now: the next pull of it stays on your own network.";
  return `Each byte that was fetched once went out ${times >= 99.5 ? Math.round(times).toLocaleString("en") : times.toFixed(1)} times.`;
}
