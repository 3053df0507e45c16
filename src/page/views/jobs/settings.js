/** Owns the card of the settings: reading them again, and what has no effect before a restart. Where they can be changed is the server alone. */
import { html } from "htm/preact";
import { get } from "../../api.js";
import { reloadSettings } from "../../changes/settings.js";
import { Waiting } from "../../parts/asked.js";
import { askAgain, useFresh } from "./fresh.js";

export function SettingsCard() {
  const asked = useFresh((signal) => get("/api/v1/settings", {}, signal), ["settings-reloaded"]);
  const { needRestart = [], settings } = asked.data ?? {};
  return html`<section class="card"><header><h2>Settings</h2><span class="quiet">a file on the server</span></header><${Waiting} asked=${asked} />
    <p class="quiet small">After a change in the file, it is read again here. What would change is shown first; bad settings change nothing.</p>
    ${needRestart.length > 0 && html`<p class="note">Without effect until a restart: ${needRestart.join(", ")}</p>`}
    <div class="bar more"><button type="button" data-change onClick=${() => reloadSettings(askAgain)}>Read the settings again</button></div>
    ${settings !== undefined && html`<details class="more"><summary>What they say now</summary><pre class="settings" tabindex="0">${JSON.stringify(settings, undefined, 2)}</pre></details>`}
  </section>`;
}
