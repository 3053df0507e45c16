/** Owns the view of what is wrong: what is so now, what failed lately by its cause, each with what to do about it, what the doctor finds, and what happened. */
import { html } from "htm/preact";
import { get } from "../api.js";
import { ago, counted, moment } from "../format.js";
import { events, status } from "../live.js";
import { useAsked, Waiting } from "../parts/asked.js";
import { useCalm } from "../parts/calm.js";
import { Command } from "../parts/command.js";
import { EventList } from "../parts/event-list.js";
import { Icon } from "../parts/icon.js";

/** @typedef {import("../live.js").ToldEvent} ToldEvent */
/**
 * @typedef {{ readonly cause: string, readonly upstream?: string, readonly title: string, readonly todo: string, readonly command?: string,
 *   readonly times: number, readonly pulls: number, readonly firstAt: number, readonly lastAt: number, readonly overAt?: number,
 *   readonly newest: readonly ToldEvent[] }} Trouble
 */
/** @typedef {{ readonly area: string, readonly level: "good" | "note" | "wrong", readonly text: string, readonly todo?: string }} Finding */

const DAYS = 7;
const AGAIN_MS = 30_000;
/** What failed longer ago, and not since, is nothing of now. */
const RECENT_MS = 3_600_000;
/** Kinds of events after which the list of failures is another one. */
const TELLING = ["failed", "mismatch", "down", "limited", "up", "online", "job-ended"];

/** The newest event that changes what failed, at most once in two seconds: hundreds can fail at once. */
function useNewestFailure() {
  const found = events.value.find(({ kind }) => TELLING.some((part) => kind.endsWith(part)));
  return useCalm(found?.id, 2_000);
}

export function Trouble() {
  const newest = useNewestFailure();
  const failures = useAsked((signal) => get("/api/v1/troubles", { days: DAYS }, signal), [newest], AGAIN_MS);
  const groups = /** @type {readonly Trouble[]} */ (failures.data?.items ?? []);
  const doctor = useAsked((signal) => get("/api/v1/doctor", {}, signal), []);
  const me = status.value?.fleet?.node;
  return html`<h1 class="hidden">Trouble</h1><${Current} groups=${groups} />
    <div class="trouble"><div class="stack">
      <section class="card failures"><header><h2>What failed lately</h2><span class="quiet">${me !== undefined && `at ${me}, `}the last ${DAYS} days, by cause</span></header>
        <${Waiting} asked=${failures} />
        ${failures.data !== undefined && groups.length === 0 && html`<p class="empty"><${Icon} name="check" /> Nothing failed.</p>`}
        ${groups.map((group) => html`<${Group} key=${`${group.cause} ${group.upstream}`} group=${group} />`)}
      </section>
      <${Doctor} asked=${doctor} /></div>
      <${EventList} />
    </div>`;
}

/** @param {{ readonly groups: readonly Trouble[] }} props */
function Current({ groups }) {
  const { troubles, now = 0 } = status.value ?? {};
  if (troubles === undefined) return null;
  const isRecent = groups.some(({ overAt, lastAt }) => overAt === undefined && lastAt > now - RECENT_MS);
  if (troubles.length === 0)
    return isRecent
      ? html`<p class="banner note" role="status"><${Icon} name="warning" /><span>Granary works, but something failed in the last hour. What to do is below.</span></p>`
      : html`<p class="banner good" role="status"><${Icon} name="check" /><span>All is well right now.</span></p>`;
  return html`<section class="stack" aria-label="Wrong right now">${troubles.map((text) => html`<p class="banner bad" key=${text}><${Icon} name="warning" /><span class="name">${text}</span></p>`)}</section>`;
}

/** @param {{ readonly group: Trouble }} props */
function Group({ group }) {
  const { title, todo, command, times, pulls, firstAt, lastAt, overAt, newest } = group;
  const now = status.value?.now ?? Date.now();
  const ofPulls = pulls > 0 && pulls < times ? `, ${counted(pulls, "pull")} of them` : "";
  return html`<article class="failure" data-cause=${group.cause}>
    <h3 class="name"><span class=${`dot inline ${overAt === undefined ? "bad" : "quiet"}`}></span> ${title}</h3>
    <p class="quiet small">${pulls === times ? counted(times, "pull") : `${counted(times, "time")}${ofPulls}`} · last ${ago(lastAt, now)}${times > 1 && ` · first ${moment(firstAt, now)}`}${overAt !== undefined && html` · <span class="good">over since ${moment(overAt, now)}</span>`}</p>
    <p class="name">${todo}</p>
    ${command !== undefined && html`<${Command} text=${command} label="Copy the command" />`}
    <details><summary>${newest.length === times ? `What happened, ${counted(times, "time")}` : `The last ${newest.length} of ${times.toLocaleString("en")}`}</summary>
      <ul class="rows">${newest.map(({ id, at, text, facts }) => html`<li key=${id}><span class="name">${text}${facts.client !== undefined && html` <span class="quiet small">${facts.client}</span>`}</span><span class="right quiet small">${moment(at, now)}</span></li>`)}</ul></details>
  </article>`;
}

/** @param {{ readonly asked: import("../parts/asked.js").Asked<{ readonly findings: readonly Finding[] }> }} props */
function Doctor({ asked }) {
  const findings = asked.data?.findings ?? [];
  const bad = findings.filter(({ level }) => level !== "good");
  const good = findings.filter(({ level }) => level === "good");
  return html`<section class="card doctor"><header><h2>What the doctor finds</h2>
      <button class="plain" type="button" disabled=${asked.isAsking} aria-busy=${asked.data !== undefined && asked.isAsking ? "true" : undefined} onClick=${asked.again}><${Icon} name="refresh" />${asked.isAsking ? "Looking …" : "Look again"}</button></header>
    <${Waiting} asked=${asked} />
    ${asked.data !== undefined && bad.length === 0 && html`<p class="good"><${Icon} name="check" /> Settings, disk, listeners and upstreams are well.</p>`}
    ${bad.length > 0 && html`<ul class="rows">${bad.map((finding) => html`<${Found} key=${`${finding.area} ${finding.text}`} finding=${finding} />`)}</ul>`}
    ${good.length > 0 && html`<details><summary>${counted(good.length, "thing")} that ${good.length === 1 ? "is" : "are"} well</summary><ul class="rows">${good.map((finding) => html`<${Found} key=${`${finding.area} ${finding.text}`} finding=${finding} />`)}</ul></details>`}
    <${Command} text="granary doctor" label="Copy the command" />
    <p class="quiet small">The command looks at the clients of a machine as well, and at a pull by each.</p></section>`;
}

/** @param {{ readonly finding: Finding }} props */
function Found({ finding: { area, level, text, todo } }) {
  return html`<li><span class="name"><span class=${`dot inline ${level === "wrong" ? "bad" : level}`}></span> <span class="hidden">${{ good: "well: ", note: "to know: ", wrong: "wrong: " }[level]}</span>${text}</span><span class="right small quiet">${area}</span>
    ${todo !== undefined && html`<span class="wide-row small name">${todo}</span>`}</li>`;
}
