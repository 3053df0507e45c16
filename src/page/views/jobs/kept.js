/** Owns the keep rules: what is never evicted, a new rule by its pattern, and taking one back. Those of the settings are only shown. */
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { get } from "../../api.js";
import { keepName, unkeepName } from "../../changes/keep.js";
import { counted, size } from "../../format.js";
import { Waiting } from "../../parts/asked.js";
import { useSome } from "../../parts/some.js";
import { Field, submitted, typed } from "./field.js";
import { askAgain, useFresh } from "./fresh.js";

/** @typedef {import("zod").infer<typeof import("../../../http/admin/routes/keep-routes.ts").keepRulesSchema>["rules"][number]} KeepRule */

export function KeptNames() {
  const asked = useFresh(
    (signal) => get("/api/v1/keep", {}, signal),
    ["settings-reloaded", "pull-ended", "job-ended", "removed"],
  );
  const [pattern, setPattern] = useState("");
  const keep = () =>
    keepName(pattern.trim(), () => {
      setPattern("");
      askAgain();
    });
  const rules = asked.data?.rules ?? [];
  const [shown, more] = useSome(rules);
  return html`<section class="card"><header><h2>Kept</h2><span class="quiet">never evicted</span></header><${Waiting} asked=${asked} />
    ${asked.data !== undefined && rules.length === 0 && html`<p class="quiet">No rule yet: when room is needed, what was used longest ago goes first.</p>`}
    <ul class="rows lined" aria-label="Keep rules">${shown.map((/** @type {KeepRule} */ rule) => html`<${KeepRow} key=${rule.pattern} rule=${rule} />`)}</ul>${more}
    <form class="bar end more" data-change onSubmit=${submitted(keep)}><${Field} label="Keep what this stands for" grow><input required placeholder="alpine:3.*, ghcr.io/org/**" value=${pattern} onInput=${typed(setPattern)} /></${Field}><button>Keep</button></form></section>`;
}

/** @param {{ readonly rule: KeepRule }} props */
function KeepRow({ rule: { pattern, from, names, size: here, partial, wanted } }) {
  return html`<li><span class="name"><strong>${pattern}</strong></span>
    <span class="right">${
      from === "command"
        ? html`<button class="plain fine" type="button" data-change onClick=${() => unkeepName(pattern, askAgain)}>Take back<span class="hidden"> ${pattern}</span></button>`
        : html`<span class="tag" title="Take it back there: remove it below keep: and read the settings again">from the settings</span>`
    }</span>
    <span class="small quiet wide-row">${names === 0 ? "Nothing of it is stored yet." : `${counted(names, "name")}, ${size(here + partial)} of ${size(wanted)} here`}</span></li>`;
}
