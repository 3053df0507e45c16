/** Owns the view of this moment: what was saved, what flows, what fills, who pulls, how the upstreams and the disk are. */
import { html } from "htm/preact";
import { ago, counted, duration, nameOf, percent, rate, shortDigest, size, sizeParts } from "../format.js";
import { status } from "../live.js";
import { minutes } from "../minutes.js";
import { Waiting } from "../parts/asked.js";
import { BlobMap } from "../parts/blob-map.js";
import { TrafficChart } from "../parts/chart.js";
import { linkTo } from "../route.js";

/** @typedef {import("../live.js").Status} Status */

/** Further ones are named by their number: a list of thousands tells nobody anything. */
const MOST_SHOWN = 50;

export function Now() {
  const now = status.value;
  if (now === undefined)
    return html`<h1 class="hidden">Now</h1><${Waiting} asked=${{ isAsking: true, again: () => {} }} />`;
  return html`<h1 class="hidden">Now</h1>
    <${Saved} traffic=${now.traffic} />
    ${isNew(now) && html`<${First} />`}
    <div class="columns wide-first">
      <div class="stack"><${Fills} fills=${now.fills} now=${now.now} /></div>
      <div class="stack"><${Pulls} pulls=${now.pulls} now=${now.now} /><${Upstreams} upstreams=${now.upstreams} now=${now.now} /><${Disk} status=${now} /></div>
    </div>`;
}

/** @param {Status} status */
function isNew({ traffic, blobs }) {
  return traffic.all.pulls === 0 && blobs === 0;
}

/** @param {{ readonly traffic: Status["traffic"] }} props */
function Saved({ traffic: { all, today } }) {
  const [number, unit] = sizeParts(Math.max(0, all.saved));
  return html`<section class="card hero" aria-label="Saved">
    <div>
      <p class="quiet">kept off the internet line</p>
      <p class="number">${number}<small>${unit}</small></p>
      <dl>
        <dt>today</dt><dd>${size(Math.max(0, today.saved))} of ${size(today.served)}</dd>
        <dt>in all</dt><dd>${size(all.served)} to clients, ${size(all.fetched)} fetched</dd>
        <dt>pulls</dt><dd>${counted(today.pulls, "pull")} today, ${all.pulls.toLocaleString("en")} in all</dd>
      </dl>
    </div>
    <${TrafficChart} points=${minutes.value} unit="minute" label="each minute of the last hour" />
  </section>`;
}

function First() {
  return html`<section class="card"><header><h2>Nothing was pulled yet</h2></header>
    <p>Point a client here, pull something, and watch it come in. <a href=${linkTo("setup")}>Set up a client</a></p></section>`;
}

/** @param {{ readonly fills: Status["fills"], readonly now: number }} props */
function Fills({ fills, now }) {
  const total = fills.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0);
  // The order in which they began: nothing changes its place while it is looked at.
  const ordered = [...fills].sort((a, b) => a.begunAt - b.begunAt);
  return html`<section class="card">
    <header><h2>Coming in</h2><span class="quiet">${fills.length === 0 ? "" : `${counted(fills.length, "blob")}, ${rate(total)}`}</span></header>
    ${fills.length === 0 && html`<p class="empty">Nothing comes over the line right now.</p>`}
    ${ordered.slice(0, MOST_SHOWN).map((fill) => html`<${FillRow} key=${`${fill.upstream} ${fill.digest}`} fill=${fill} now=${now} />`)}
    ${fills.length > MOST_SHOWN && html`<p class="quiet">and ${fills.length - MOST_SHOWN} more</p>`}
    ${fills.length > 0 && html`<p class="legend"><span><i class="is-served"></i>here</span><span><i class="is-fetched"></i>▼ a connection writes</span><span>▲ a client reads</span></p>`}
  </section>`;
}

/** @param {{ readonly fill: Status["fills"][number], readonly now: number }} props */
function FillRow({ fill, now }) {
  const {
    digest,
    size: all,
    present,
    lanes,
    readers,
    waits,
    bytesPerSecond,
    serves,
    purpose,
    heldForMs,
    state,
  } = fill;
  const [first] = serves;
  const left = bytesPerSecond > 0 ? duration(((all - present) / bytesPerSecond) * 1000) : undefined;
  const clients = new Set(serves.flatMap(({ client }) => client ?? [])).size;
  const why =
    purpose === "waited"
      ? waits > 0
        ? `${waits} waiting`
        : counted(Math.max(readers, clients), "client")
      : purpose;
  const slow = heldForMs !== undefined ? `held for ${duration(heldForMs)}` : state === "filling" ? "" : state;
  return html`<article class="fill">
    <div class="line"><strong class="cut">${first === undefined ? shortDigest(digest) : nameOf({ upstream: fill.upstream, ...first })}</strong>
      <span class="right">${percent(present, all)} of ${size(all)}</span></div>
    <${BlobMap} fill=${fill} />
    <div class="line small quiet"><span class="cut"><code>${shortDigest(digest)}</code> · ${why}${slow && ` · ${slow}`}</span>
      <span class="right">${rate(bytesPerSecond)}${lanes > 0 && ` · ${counted(lanes, "connection")}`}${left && ` · ${left} left`}</span></div>
    <span class="hidden">since ${ago(fill.begunAt, now)}</span>
  </article>`;
}

/** @param {{ readonly pulls: Status["pulls"], readonly now: number }} props */
function Pulls({ pulls, now }) {
  return html`<section class="card">
    <header><h2>At work</h2><span class="quiet">${pulls.length === 0 ? "" : counted(pulls.length, "pull")}</span></header>
    ${pulls.length === 0 && html`<p class="empty">No client pulls right now.</p>`}
    <ul class="rows">${pulls.slice(0, MOST_SHOWN).map(
      (pull) => html`<li key=${pull.id}>
      <span class="cut"><strong>${nameOf(pull)}</strong></span><span class="right">${size(pull.served)}${pull.size !== null && ` of ${size(pull.size)}`}</span>
      <span class="small quiet cut">${pull.client ?? "a client"} · ${pull.agent}${pull.platform !== null && ` · ${pull.platform}`}</span>
      <span class="small quiet right">${ago(pull.begunAt, now)}</span></li>`,
    )}</ul>
  </section>`;
}

/** @param {{ readonly upstreams: Status["upstreams"], readonly now: number }} props */
function Upstreams({ upstreams, now }) {
  return html`<section class="card"><header><h2>Upstreams</h2></header>
    <ul class="rows">${upstreams.map((upstream) => {
      const [kind, text] = stateOf(upstream, now);
      const { limit, remaining } = upstream.rateLimit ?? {};
      return html`<li key=${upstream.name}><span class="cut"><span class=${`dot ${kind} inline`}></span> ${upstream.name}</span><span class="right small quiet">${text}</span>
        ${remaining !== undefined && html`<span class="small quiet">${remaining}${limit !== undefined && ` of ${limit}`} pulls left</span>`}</li>`;
    })}</ul></section>`;
}

/**
 * @param {Status["upstreams"][number]} upstream
 * @param {number} now
 * @returns {readonly [string, string]}
 */
function stateOf({ circuit, offlineSince, retryAt }, now) {
  if (offlineSince !== undefined) return ["note", `set offline ${ago(offlineSince, now)}`];
  if (circuit === "closed") return ["good", "works"];
  const next = retryAt === undefined || retryAt <= now ? "" : `, asked again in ${duration(retryAt - now)}`;
  return ["bad", `${circuit === "open" ? "fails" : "being tried"}${next}`];
}

/** @param {{ readonly status: Status }} props */
function Disk({ status: { disk, blobs, manifests } }) {
  const { used, budget, free } = disk;
  const whole = budget > 0 ? budget : used + free;
  const meter = { width: `${Math.min(100, (used / Math.max(1, whole)) * 100)}%` };
  return html`<section class="card">
    <header><h2>Disk</h2><span class="quiet">${percent(used, whole)}</span></header>
    <div class="meter"><i style=${meter}></i></div>
    <p class="small quiet">${size(used)} of ${size(whole)} · ${size(free)} free on the disk<br />${counted(blobs, "blob")}, ${counted(manifests, "manifest")}
      · <a href=${linkTo("jobs", { evict: "yes" })}>what goes next</a></p>
  </section>`;
}
