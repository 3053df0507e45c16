/** Owns how full the disk is against the budget, and what would go next. */
import { html } from "htm/preact";
import { ago, counted, percent, shortDigest, size } from "../format.js";
import { linkTo } from "../route.js";

/** @typedef {import("../live.js").Status} Status */

/** @param {{ readonly status: Status }} props */
export function Disk({ status: { disk, blobs, manifests, now } }) {
  const { used, budget, free, next = [] } = disk;
  const whole = budget > 0 ? budget : used + free;
  const meter = { width: `${Math.min(100, (used / Math.max(1, whole)) * 100)}%` };
  return html`<section class="card">
    <header><h2>Disk</h2><span class="quiet">${percent(used, whole)}${budget > 0 ? " of the budget" : " of the disk"}</span></header>
    <div class="meter"><i style=${meter}></i></div>
    <p class="small">${size(used)} <span class="quiet">of ${size(whole)}; ${size(free)} free on the disk; ${counted(blobs, "blob")}, ${counted(manifests, "manifest")}</span></p>
    ${
      next.length > 0 &&
      html`<details class="small"><summary>What goes next, when room is needed</summary><ul class="next">${next.map((one) => html`<${Next} key=${one.what} one=${one} now=${now} />`)}</ul>
      <p><a href=${linkTo("jobs", { evict: "yes" })}>Make room now</a></p></details>`
    }
  </section>`;
}

/** @param {{ readonly one: NonNullable<Status["disk"]["next"]>[number], readonly now: number }} props */
function Next({ one: { kind, what, size: bytes, usedAt, names }, now }) {
  const [name] = names;
  const more = names.length > 1 ? ` and ${names.length - 1} more` : "";
  const used =
    kind === "damaged"
      ? "damaged, set aside"
      : usedAt === undefined
        ? "never used"
        : `used ${ago(usedAt, now)}`;
  return html`<li><p class="now-line"><span class="cut" title=${what}>${name === undefined ? shortDigest(what) : `${name}${more}`}</span><span class="now-amount">${size(bytes)}</span></p>
    <p class="quiet">${kind === "partial" ? "not whole, " : ""}${used}</p></li>`;
}
