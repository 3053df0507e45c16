/** Owns the view of this moment: what was saved, what comes in, who pulls, how the upstreams and the disk are. */
import { html } from "htm/preact";
import { status } from "../live.js";
import { Disk } from "../now/disk.js";
import { Fills } from "../now/fills.js";
import { Clients } from "../now/pulls.js";
import { Saved } from "../now/saved.js";
import { Upstreams } from "../now/upstreams.js";
import { Waiting } from "../parts/asked.js";
import { linkTo } from "../route.js";

/** @typedef {import("../live.js").Status} Status */

export function Now() {
  const now = status.value;
  if (now === undefined)
    return html`<h1 class="hidden">Now</h1><${Waiting} asked=${{ isAsking: true, again: () => {} }} />`;
  // What grows and shrinks stands last in its column: the rest keeps its place.
  return html`<h1 class="hidden">Now</h1>
    <${Saved} traffic=${now.traffic} />
    ${isNew(now) && html`<${First} />`}
    <div class="columns wide-first">
      <div class="stack"><${Fills} upstreams=${now.upstreams} now=${now.now} /></div>
      <div class="stack"><${Upstreams} upstreams=${now.upstreams} now=${now.now} /><${Disk} status=${now} /><${Clients} pulls=${now.pulls} now=${now.now} /></div>
    </div>`;
}

/** @param {Status} status */
function isNew({ traffic, blobs }) {
  return traffic.all.pulls === 0 && blobs === 0;
}

function First() {
  return html`<section class="card"><header><h2>Nothing was pulled yet</h2></header>
    <p>Point a client here, pull something, and watch it come in. <a href=${linkTo("setup")}>Set up a client</a></p></section>`;
}
