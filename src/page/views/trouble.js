/** Owns the view of what is wrong: what is so now with what to do about it, the last failures by their cause, and what else happened. */
import { html } from "htm/preact";
import { get } from "../api.js";
import { counted, moment } from "../format.js";
import { events, status } from "../live.js";
import { useAsked, Waiting } from "../parts/asked.js";
import { Icon } from "../parts/icon.js";

/** What a failure means for a person. @type {Readonly<Record<string, readonly [string, string]>>} */
const CAUSES = {
  "pull-failed": ["Pulls that failed", "The sentence names the cause. What was fetched until then is kept."],
  "upstream-down": [
    "Upstreams that did not answer",
    "What is stored is served meanwhile; they are asked again by themselves.",
  ],
  "upstream-limited": [
    "Upstreams that limit you",
    "Give Granary a login there, or wait: stored tags are served meanwhile.",
  ],
  "digest-mismatch": [
    "Wrong bytes",
    "They were not served. granary verify --repair looks through everything.",
  ],
  "fill-paused": ["Transfers that pause", "They go on by themselves when the upstream answers."],
};

export function Trouble() {
  const past = useAsked((signal) => get("/api/v1/events/past", { limit: 300 }, signal), []);
  const doctor = useAsked((signal) => get("/api/v1/doctor", {}, signal), []);
  const known = new Map([...(past.data?.items ?? []), ...events.value].map((event) => [event.id, event]));
  const all = [...known.values()].sort((a, b) => b.id - a.id);
  return html`<h1 class="hidden">Trouble</h1><${Current} /><div class="columns">
    <div class="stack"><${Waiting} asked=${past} />${Object.keys(CAUSES).map((kind) => html`<${Cause} key=${kind} kind=${kind} found=${all.filter((event) => event.kind === kind)} />`)}</div>
    <div class="stack"><${Doctor} asked=${doctor} /><${Recent} all=${all} /></div></div>`;
}

function Current() {
  const troubles = status.value?.troubles ?? [];
  if (troubles.length === 0)
    return html`<p class="banner good"><${Icon} name="check" /><span>All is well right now.</span></p>`;
  return troubles.map(
    (text) => html`<p class="banner bad" key=${text}><${Icon} name="warning" /><span>${text}</span></p>`,
  );
}

/** @param {{ readonly kind: string, readonly found: readonly any[] }} props */
function Cause({ kind, found }) {
  const [title, advice] = CAUSES[kind] ?? [kind, ""];
  const now = status.value?.now ?? Date.now();
  if (found.length === 0) return null;
  /** @type {Map<string, any[]>} */
  const groups = Map.groupBy(found, ({ facts }) => String(facts.reason ?? facts.upstream ?? ""));
  return html`<section class="card"><header><h2>${title}</h2><span class="quiet">${counted(found.length, "time")}</span></header><p class="quiet">${advice}</p>
    <ul class="rows">${[...groups.values()].slice(0, 20).map((group) => html`<li key=${group[0].id}><span class="name">${group[0].text}</span><span class="right quiet small">${group.length > 1 && `${group.length}×, `}${moment(group[0].at, now)}</span></li>`)}</ul></section>`;
}

/** @param {{ readonly asked: any }} props */
function Doctor({ asked }) {
  return html`<section class="card"><header><h2>Looked at</h2><button class="plain" disabled=${asked.isAsking} onClick=${asked.again}><${Icon} name="refresh" />Look again</button></header><${Waiting} asked=${asked} />
    <ul class="rows">${asked.data?.findings.map((/** @type {any} */ finding) => html`<li key=${`${finding.area} ${finding.text}`}><span><span class=${`dot inline ${finding.level === "wrong" ? "bad" : finding.level}`}></span> ${finding.text}${finding.todo !== undefined && html`<br /><span class="small">${finding.todo}</span>`}</span><span class="right small quiet">${finding.area}</span></li>`)}</ul></section>`;
}

/** @param {{ readonly all: readonly any[] }} props */
function Recent({ all }) {
  const now = status.value?.now ?? Date.now();
  return html`<section class="card"><header><h2>What happened</h2></header>
    ${all.length === 0 && html`<p class="empty">Nothing yet.</p>`}
    <ul class="rows">${all.slice(0, 60).map((event) => html`<li key=${event.id}><span class="name">${event.text}</span><span class="right small quiet">${moment(event.at, now)}</span></li>`)}</ul></section>`;
}
