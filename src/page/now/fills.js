/** Owns the list of what comes in: each blob with its map, how fast it comes, when it is whole, for whom, and why it waits. */
import { html } from "htm/preact";
import { counted, duration, nameOf, percent, rate, shortDigest, size } from "../format.js";
import { BlobMap, MapLegend } from "../parts/blob-map.js";
import { Icon } from "../parts/icon.js";
import { isSizeKnown } from "../parts/map-columns.js";
import { linkTo } from "../route.js";
import { forWhom, held } from "./fill-words.js";
import { rows } from "./in-flight.js";

/** @typedef {import("../live.js").Status} Status */
/** @typedef {import("./fill-rows.js").Row} Row */

/** Further ones are a number: a list of thousands tells nobody anything. */
const MOST_SHOWN = 50;
/** From so many on they stand side by side where there is room. */
const MANY = 7;

/** @param {{ readonly upstreams: Status["upstreams"], readonly now: number }} props */
export function Fills({ upstreams, now }) {
  const all = rows.value;
  const running = all.filter(({ end }) => end === undefined);
  const total = running.reduce((sum, { fill }) => sum + fill.bytesPerSecond, 0);
  return html`<section class="card">
    <header><h2>Coming in</h2><span class="quiet">${running.length > 0 && `${counted(running.length, "blob")}, ${rate(total)}`}</span></header>
    ${all.length === 0 && html`<p class="empty">Nothing comes over the line right now.</p>`}
    ${all.length > 0 && html`<${MapLegend} />`}
    <ul class=${`fills${all.length >= MANY ? " many" : ""}`}>${all
      .slice(0, MOST_SHOWN)
      .map((row) => html`<${FillRow} key=${row.key} row=${row} upstreams=${upstreams} now=${now} />`)}</ul>
    ${all.length > MOST_SHOWN && html`<p class="quiet">and ${counted(all.length - MOST_SHOWN, "more", "more")}</p>`}
  </section>`;
}

/** @param {{ readonly row: Row, readonly upstreams: Status["upstreams"], readonly now: number }} props */
function FillRow({ row: { fill, end }, upstreams, now }) {
  const { digest, upstream, serves, size: all, present } = fill;
  const [first] = serves;
  const name = first === undefined ? shortDigest(digest) : nameOf({ upstream, ...first });
  const waits = held(
    fill,
    upstreams.find(({ name }) => name === upstream),
    now,
  );
  const place = end === undefined ? "" : end.isGoing ? " is-over is-going" : " is-over";
  return html`<li class=${`fill${place}`}>
    <div class="now-line"><strong class="cut" title=${`${name} ${digest}`}>${name}</strong>
      <span class="now-amount">${isSizeKnown(fill) ? html`${percent(present, all)} <span class="quiet">of ${size(all)}</span>` : html`${size(present)} <span class="quiet">so far</span>`}</span></div>
    <${BlobMap} fill=${fill} />
    <div class="now-line small quiet"><span class="cut"><${Part} fill=${fill} />${end === undefined && ` · ${forWhom(fill)}`}</span>
      ${end === undefined ? waits === undefined && html`<${Speed} fill=${fill} />` : html`<${Ended} end=${end} />`}</div>
    ${end === undefined && waits !== undefined && html`<p class="small note">${waits}</p>`}
  </li>`;
}

/** What the blob is to what was asked for: "layer 0a1b2c3d". @param {{ readonly fill: Row["fill"] }} props */
function Part({ fill: { role, digest } }) {
  const hex = html`<span class="hex">${digest.replace(/^sha\d+:([0-9a-f]{8}).*$/, "$1")}</span>`;
  return role === undefined ? html`blob ${hex}` : html`${role === "other" ? "file" : role} ${hex}`;
}

/** @param {{ readonly fill: Row["fill"] }} props */
function Speed({ fill }) {
  const { size: all, present, bytesPerSecond } = fill;
  const left =
    bytesPerSecond > 0 && isSizeKnown(fill) && `${duration(((all - present) / bytesPerSecond) * 1000)} left`;
  return html`<span class="now-amount">${rate(bytesPerSecond)}${left && html` · ${left}`}</span>`;
}

/** @param {{ readonly end: import("./fill-rows.js").End }} props */
function Ended({ end: { how } }) {
  if (how === "whole") return html`<span class="good ended"><${Icon} name="check" />whole</span>`;
  if (how === "paused") return html`<span>stopped: nobody waits for it any more; what came is kept</span>`;
  if (how === "failed")
    return html`<span class="bad">failed: <a href=${linkTo("trouble")}>what happened</a></span>`;
  return html`<span>ended</span>`;
}
