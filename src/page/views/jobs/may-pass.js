/** Owns what may pass: the rules that allow and deny, how long what is new has to wait, new rules and taking them back. */
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { get } from "../../api.js";
import { addRule, takeRuleBack } from "../../changes/passage.js";
import { duration } from "../../format.js";
import { status } from "../../live.js";
import { Waiting } from "../../parts/asked.js";
import { Command } from "../../parts/command.js";
import { useSome } from "../../parts/some.js";
import { Field, submitted, typed } from "./field.js";
import { askAgain, useFresh } from "./fresh.js";
import { cooldownLines } from "./settings-lines.js";

/** @typedef {import("zod").infer<typeof import("../../../http/admin/routes/passage-routes.ts").rulesSchema>["items"][number]} Rule */

export function MayPass() {
  const asked = useFresh((signal) => get("/api/v1/rules", {}, signal), ["settings-reloaded"]);
  const [kind, setKind] = useState(/** @type {string} */ ("deny"));
  const [pattern, setPattern] = useState("");
  const add = () =>
    addRule(kind === "allow" ? "allow" : "deny", pattern.trim(), () => {
      setPattern("");
      askAgain();
    });
  const { items: rules = [], cooldowns = [] } = asked.data ?? {};
  const [shown, more] = useSome(rules);
  return html`<section class="card"><header><h2>What may pass</h2></header><${Waiting} asked=${asked} />
    ${asked.data !== undefined && rules.length === 0 && html`<p class="quiet">Everything may: no rule allows or denies.</p>`}
    <ul class="rows lined" aria-label="Rules that allow and deny">${shown.map((/** @type {Rule} */ rule) => html`<${RuleRow} key=${`${rule.kind} ${rule.pattern}`} rule=${rule} />`)}</ul>${more}
    <form class="bar end more" data-change onSubmit=${submitted(add)}>
      <${Field} label="Rule"><select value=${kind} onChange=${typed(setKind)}><option value="deny">Deny</option><option value="allow">Allow only</option></select></${Field}>
      <${Field} label="Name pattern" grow><input required placeholder="ghcr.io/org/**, **/xmrig" value=${pattern} onInput=${typed(setPattern)} /></${Field}><button>Add</button></form>
    <${Cooldowns} cooldowns=${cooldowns} /></section>`;
}

/** @param {{ readonly rule: Rule }} props */
function RuleRow({ rule: { kind, pattern, from } }) {
  return html`<li><span class="name"><span class=${`tag ${kind === "deny" ? "bad" : "good"}`}>${kind}</span> <strong>${pattern}</strong></span>
    <span class="right">${
      from === "command"
        ? html`<button class="plain fine" type="button" data-change onClick=${() => takeRuleBack(kind, pattern, askAgain)}>Take back<span class="hidden"> ${kind} ${pattern}</span></button>`
        : html`<span class="tag" title="Take it back there: remove it below its upstream and read the settings again">from the settings</span>`
    }</span></li>`;
}

/** The time of waiting stands in the settings alone. @param {{ readonly cooldowns: readonly { readonly upstream: string, readonly cooldownMs: number }[] }} props */
function Cooldowns({ cooldowns }) {
  const names = (status.value?.upstreams ?? []).map(({ name }) => name);
  const [chosen, setUpstream] = useState("");
  const [days, setDays] = useState("3d");
  const upstream = chosen === "" ? (names[0] ?? "docker.io") : chosen;
  return html`<div class="more">
    ${cooldowns.map(({ upstream: name, cooldownMs }) => html`<p key=${name}>What is new of <strong>${name}</strong> waits <strong>${duration(cooldownMs)}</strong> before it passes.</p>`)}
    ${cooldowns.length === 0 && html`<p class="quiet small">What is new passes at once: no upstream has a time of waiting.</p>`}
    <details class="more"><summary>Let what is new wait first</summary><div class="stack tight more">
      <p class="quiet small">A tag that moves stays on what was known until the new content is that old. This stands in the settings: add these lines there, then read the settings again.</p>
      <div class="bar"><${Field} label="Upstream"><select value=${upstream} onChange=${typed(setUpstream)}>${names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></${Field}>
      <${Field} label="Waits"><select value=${days} onChange=${typed(setDays)}>${["1d", "3d", "7d", "14d"].map((time) => html`<option key=${time} value=${time}>${time.replace("d", time === "1d" ? " day" : " days")}</option>`)}</select></${Field}></div>
      <${Command} text=${cooldownLines(upstream, days)} label="Copy the lines" /></div></details></div>`;
}
