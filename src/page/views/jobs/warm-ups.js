/** Owns the warm-ups of the settings: what each brings, when it comes next, what came of it last, and running one now. */
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { get } from "../../api.js";
import { runWarmUp } from "../../changes/warm.js";
import { ago, counted, duration } from "../../format.js";
import { status } from "../../live.js";
import { useAsked, Waiting } from "../../parts/asked.js";
import { dueInWords, scheduleInWords } from "../../times.js";
import { askAgain, useFresh } from "./fresh.js";
import { JobResult } from "./job-result.js";

/** @typedef {import("zod").infer<typeof import("../../../http/admin/routes/warm-routes.ts").warmUpsSchema>["items"][number]} WarmUp */

export function WarmUpList() {
  const asked = useFresh(
    (signal) => get("/api/v1/warm", {}, signal),
    ["job-begun", "job-ended", "settings-reloaded"],
  );
  return html`<section class="card"><header><h2>Warm-ups</h2><span class="quiet">made in the settings</span></header><${Waiting} asked=${asked} />
    ${asked.data?.items.length === 0 && html`<p class="quiet">There is none. A warm-up is a list that comes in by itself, each night for example: type what it brings under “Bring something in”, and open “again and again”.</p>`}
    <ul class="rows lined" aria-label="Warm-ups">${asked.data?.items.map((/** @type {WarmUp} */ each) => html`<${WarmUpRow} key=${each.name} warmUp=${each} />`)}</ul></section>`;
}

const MOST_NAMED = 3;

/** @param {{ readonly warmUp: WarmUp }} props */
function WarmUpRow({ warmUp: { name, references, platforms, schedule, movedEveryMs, dueAt, last } }) {
  const [isOpen, setOpen] = useState(false);
  const now = status.value?.now ?? Date.now();
  const more = references.length - MOST_NAMED;
  const when =
    schedule !== undefined
      ? scheduleInWords(schedule)
      : movedEveryMs !== undefined
        ? `when a tag of it moves (asked every ${duration(movedEveryMs)})`
        : "only when somebody says so";
  return html`<li><span class="name"><strong>${name}</strong></span>
    <span class="right"><button class="plain fine" type="button" data-change onClick=${() => runWarmUp(name, askAgain)}>Bring in now<span class="hidden">: ${name}</span></button></span>
    <span class="wide-row name">${references.slice(0, MOST_NAMED).join(", ")}${more > 0 && ` and ${more} more`}${platforms.length > 0 && html` <span class="quiet">for ${platforms.join(", ")}</span>`}</span>
    <span class="small quiet wide-row">${dueAt !== undefined && html`Next <strong>${dueInWords(dueAt, now)}</strong> · `}${when}</span>
    <span class="small wide-row">${
      last === undefined
        ? html`<span class="quiet">It has not run yet.</span>`
        : html`<span class="quiet">Last: </span><span class=${last.state === "failed" ? "bad" : last.state === "done" ? "good" : "quiet"}>${last.state}</span><span class="quiet"> ${ago(last.startedAt, now)} (job ${last.id}) </span>
    <button class="plain fine" type="button" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>${isOpen ? "Less" : "What came"}<span class="hidden"> of ${name}</span></button>`
    }</span>
    ${isOpen && last !== undefined && html`<${LastRun} id=${last.id} state=${last.state} />`}
    ${isOpen && references.length > MOST_NAMED && html`<details class="wide-row"><summary class="small">${counted(references.length, "name")}</summary><ul class="rows list">${references.map((/** @type {string} */ each) => html`<li key=${each}><span class="name">${each}</span></li>`)}</ul></details>`}
  </li>`;
}

/** @param {{ readonly id: number, readonly state: string }} props */
function LastRun({ id, state }) {
  const asked = useAsked((signal) => get(`/api/v1/jobs/${id}`, {}, signal), [id, state]);
  return html`<div class="wide-row stack details"><${Waiting} asked=${asked} />${asked.data !== undefined && (asked.data.result === undefined ? html`<p class="quiet">${asked.data.reason ?? "Nothing is known of it yet."}</p>` : html`<${JobResult} job=${asked.data} />`)}</div>`;
}
