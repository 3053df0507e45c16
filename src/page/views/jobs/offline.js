/** Owns which upstreams may be asked: each, and all of them, can be set offline and back. */
import { html } from "htm/preact";
import { setOffline } from "../../changes/line.js";
import { ago } from "../../format.js";
import { status } from "../../live.js";

const nothing = () => undefined;

/** What is shown comes with each snapshot: nothing is asked for. */
export function OfflineCard() {
  const upstreams = status.value?.upstreams ?? [];
  const now = status.value?.now ?? Date.now();
  const away = upstreams.filter(({ offlineSince }) => offlineSince !== undefined);
  const isAllAway = upstreams.length > 0 && away.length === upstreams.length;
  return html`<section class="card"><header><h2>Offline</h2><span class="quiet">${away.length === 0 ? "every upstream is in use" : `${away.length} of ${upstreams.length} offline`}</span></header>
    <p class="quiet small">For when the line is down, or must not be used: what is stored is served, and nothing is asked of the internet.</p>
    <ul class="rows lined more" aria-label="Upstreams">${upstreams.map(
      ({
        name,
        offlineSince,
      }) => html`<li key=${name}><span class="name"><strong>${name}</strong> ${offlineSince === undefined ? html`<span class="good">in use</span>` : html`<span class="note">offline</span> <span class="small quiet">set ${ago(offlineSince, now)}</span>`}</span>
        <span class="right"><button class="plain fine" type="button" data-change onClick=${() => setOffline(offlineSince === undefined, name, nothing)}>${offlineSince === undefined ? "Set offline" : "Use again"}<span class="hidden">: ${name}</span></button></span></li>`,
    )}</ul>
    ${
      upstreams.length > 1 &&
      html`<div class="bar more"><button type="button" data-change disabled=${isAllAway} onClick=${() => setOffline(true, undefined, nothing)}>Set all offline</button>
      <button type="button" data-change disabled=${away.length === 0} onClick=${() => setOffline(false, undefined, nothing)}>Use all again</button></div>`
    }
  </section>`;
}
