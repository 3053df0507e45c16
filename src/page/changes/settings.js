/** Owns how a person has the server read its settings again: what would change is shown first, and bad settings change nothing. */
import { html } from "htm/preact";
import { post } from "../api.js";
import { counted } from "../format.js";
import { confirmChange } from "../parts/confirm.js";

/** @typedef {import("zod").infer<typeof import("../../http/admin/routes/reload-routes.ts").reloadSchema>} Reload */

/** @param {() => void} after */
export function reloadSettings(after) {
  confirmChange({
    title: "Read the settings again",
    command: "granary reload",
    verb: "Use them",
    trial: () => post("/api/v1/settings/reload", undefined, { dryRun: true }),
    describe: (answer) => html`<${Changes} answer=${answer} />`,
    isEmpty: ({ applied, needRestart }) => applied.length + needRestart.length === 0,
    act: () => post("/api/v1/settings/reload"),
    done: ({ applied, needRestart }) =>
      applied.length + needRestart.length === 0
        ? "Nothing has changed in the settings."
        : `${counted(applied.length, "setting")} in use now${needRestart.length > 0 ? `, ${needRestart.length} after a restart` : ""}.`,
    after,
  });
}

/** @param {{ readonly answer: Reload }} props */
function Changes({ answer: { applied, needRestart, notes, problems } }) {
  if (applied.length + needRestart.length + problems.length === 0)
    return html`<p>Nothing has changed in the settings since they were read.</p>`;
  return html`
    <${KeyList} title="In use at once" keys=${applied} />
    <${KeyList} title="Only after a restart" keys=${needRestart} />
    ${notes.map((/** @type {string} */ note) => html`<p class="quiet" key=${note}>${note}</p>`)}
    ${problems.map((/** @type {string} */ problem) => html`<p class="bad" key=${problem}>${problem}</p>`)}
    <p class="quiet">Pulls that go on now are not touched.</p>`;
}

/** @param {{ readonly title: string, readonly keys: readonly { readonly key: string, readonly change: string }[] }} props */
function KeyList({ title, keys }) {
  if (keys.length === 0) return null;
  return html`<p><strong>${title}</strong></p><ul class="rows list">${keys.map(({ key, change }) => html`<li key=${key}><code class="name">${key}</code><span class="right quiet">${change}</span></li>`)}</ul>`;
}
