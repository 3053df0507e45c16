/** Owns the list of jobs: those that run with their progress, those that ended with their result, and how one is stopped. */
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { get } from "../../api.js";
import { stopJob } from "../../changes/job.js";
import { ago, duration, percent, size } from "../../format.js";
import { status } from "../../live.js";
import { useAsked, Waiting } from "../../parts/asked.js";
import { Command } from "../../parts/command.js";
import { askAgain, useFresh } from "./fresh.js";
import { commandOfJob } from "./job-command.js";
import { JobResult } from "./job-result.js";
import { forgetPaces, paceInWords, paceOf } from "./pace.js";

const RUNNING_MS = 2_000;
const PAGE = 20;

export function JobList() {
  const [limit, setLimit] = useState(PAGE);
  const [isRunning, setRunning] = useState(false);
  const asked = useFresh(
    (signal) => get("/api/v1/jobs", { limit }, signal),
    ["job-begun", "job-ended"],
    isRunning ? RUNNING_MS : undefined,
  );
  const items = asked.data?.items ?? [];
  const running = items.filter((/** @type {any} */ { state }) => state === "running");
  const past = items.filter((/** @type {any} */ { state }) => state !== "running");
  useEffect(() => setRunning(running.length > 0), [running.length > 0]);
  useEffect(() => askAgain(), [limit]);
  forgetPaces(new Set(running.map((/** @type {any} */ { id }) => id)));
  return html`<section class="card"><header><h2>Jobs</h2><span class="quiet">${running.length > 0 && `${running.length} at work`}</span></header>
    <${Waiting} asked=${asked} />
    ${asked.data !== undefined && items.length === 0 && html`<p class="empty">No job has run yet. What takes long is done as a job: bring something in, check the disk, export a bundle.</p>`}
    <ul class="rows lined" aria-label="Jobs">${[...running, ...past].map((job) => html`<${JobRow} key=${job.id} job=${job} />`)}</ul>
    ${asked.data?.next !== undefined && html`<button class="plain more" type="button" onClick=${() => setLimit(limit + 2 * PAGE)}>Show older ones</button>`}
  </section>`;
}

/** @type {Readonly<Record<string, string>>} */
const MARKS = { running: "note", done: "good", failed: "bad", stopped: "quiet" };

/** @param {{ readonly job: any }} props */
function JobRow({ job }) {
  const { id, kind, title, state, reason, failures = 0 } = job;
  const [isOpen, setOpen] = useState(false);
  const isRunning = state === "running";
  return html`<li class="job">
    <span class="name"><strong>${title}</strong></span><span class=${`right ${failures > 0 ? "note" : (MARKS[state] ?? "")}`}>${state}${failures > 0 && `, ${failures} ${kind === "verify" ? "wrong" : "failed"}`}</span>
    ${isRunning ? html`<${Progress} job=${job} />` : html`<${Ended} job=${job} />`}
    ${reason !== undefined && html`<span class=${`small wide-row ${state === "failed" ? "bad" : "quiet"}`}>${reason}</span>`}
    <div class="wide-row bar">
      <button class="plain fine" type="button" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>${isOpen ? "Less" : "More"}<span class="hidden"> about job ${id}</span></button>
      ${isRunning && html`<button class="plain fine push" type="button" data-change onClick=${() => stopJob(id, askAgain)}>Stop<span class="hidden"> job ${id}</span></button>`}
    </div>
    ${isOpen && html`<${JobDetails} id=${id} state=${state} />`}
  </li>`;
}

/** @param {{ readonly job: any }} props */
function Progress({ job: { id, title, startedAt, progress, resumes } }) {
  const now = status.value?.now ?? Date.now();
  const { bytes, things } = progress;
  const [done, total] = bytes.total > 0 ? [bytes.done, bytes.total] : [things.done, things.total];
  const pace = paceInWords(paceOf(id, bytes.done, performance.now()), bytes, things);
  const parts = [
    bytes.total > 0 ? `${size(bytes.done)} of ${size(bytes.total)}` : bytes.done > 0 && size(bytes.done),
    things.total > 1 && things.done > 0 && `${things.done} of ${things.total} done`,
    pace,
  ];
  return html`<div class="meter wide-row" role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow=${total > 0 ? Math.min(100, Math.floor((done / total) * 100)) : undefined} aria-label=${title}><i style=${{ width: `${total > 0 ? Math.min(100, (done / total) * 100) : 0}%` }}></i></div>
    <span class="small quiet">${parts.filter(Boolean).join(" · ") || "it begins"}</span><span class="right small quiet">${total > 0 && percent(done, total)}</span>
    <span class="small quiet wide-row">job ${id} · for ${duration(now - startedAt)}${resumes > 0 && " · went on after a restart"}</span>`;
}

/** @param {{ readonly job: any }} props */
function Ended({ job: { id, startedAt, endedAt = startedAt, progress } }) {
  const now = status.value?.now ?? Date.now();
  const { bytes, things } = progress;
  const parts = [
    `job ${id}`,
    ago(endedAt, now),
    `took ${duration(endedAt - startedAt)}`,
    bytes.done > 0 && size(bytes.done),
    things.total > 1 && `${things.done} of ${things.total} done`,
  ];
  return html`<span class="small quiet wide-row">${parts.filter(Boolean).join(" · ")}</span>`;
}

/** @param {{ readonly id: number, readonly state: string }} props */
function JobDetails({ id, state }) {
  const asked = useAsked(
    (signal) => get(`/api/v1/jobs/${id}`, {}, signal),
    [state],
    state === "running" ? RUNNING_MS : undefined,
  );
  const job = asked.data;
  const command = job === undefined ? undefined : commandOfJob(job);
  return html`<div class="wide-row stack details"><${Waiting} asked=${asked} />
    ${
      job !== undefined &&
      html`<${JobResult} job=${job} />
      ${job.notes.length > 0 && html`<details><summary class="small">What it said</summary><ul class="rows list small">${job.notes.map((/** @type {string} */ note, /** @type {number} */ index) => html`<li key=${index}><span class="name">${note}</span></li>`)}</ul></details>`}
      ${command !== undefined && html`<div><p class="quiet small">The same by a command:</p><${Command} text=${command} /></div>`}
      ${state === "running" && html`<div><p class="quiet small">Follow it in a terminal:</p><${Command} text=${`granary jobs follow ${id}`} /></div>`}`
    }
  </div>`;
}
