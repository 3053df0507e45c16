/** Owns the view of jobs and rules: what runs and ran, warm-ups and when they come, what is kept, allowed, denied and held back, and the line. */
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { get, post } from "../api.js";
import { evictNow, keepName, setOffline, stopJob, unkeepName, verifyAll, warmNow } from "../changes.js";
import { ago, duration, moment, percent, rate, size } from "../format.js";
import { status } from "../live.js";
import { useAsked, Waiting } from "../parts/asked.js";
import { say } from "../parts/toast.js";
import { route } from "../route.js";

const AGAIN_MS = 2_000;

export function Jobs() {
  const jobs = useAsked((signal) => get("/api/v1/jobs", { limit: 30 }, signal), [], AGAIN_MS);
  useEffect(() => {
    if (route.value.query.evict !== undefined) evictNow();
  }, []);
  return html`<h1 class="hidden">Jobs and rules</h1>
    <div class="columns">
      <div class="stack"><${Begin} again=${jobs.again} /><${JobList} jobs=${jobs} /></div>
      <div class="stack"><${WarmUps} again=${jobs.again} /><${Kept} /><${HeldBack} /><${Passage} /><${Line} /></div>
    </div>`;
}

/** @param {{ readonly again: () => void }} props */
function Begin({ again }) {
  const [reference, setReference] = useState("");
  const [platforms, setPlatforms] = useState("");
  return html`<section class="card"><header><h2>Bring something in</h2></header>
    <form class="bar" onSubmit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      warmNow(reference.trim(), platforms, again);
    }}>
      <label class="bar search"><span class="hidden">Image or model</span><input required placeholder="alpine:3.22, ollama:llama3.2" value=${reference} onInput=${typed(setReference)} /></label>
      <label><span class="hidden">Platforms</span><input placeholder="platforms" size="12" value=${platforms} onInput=${typed(setPlatforms)} /></label>
      <button class="main">Bring in</button></form>
    <div class="bar more"><button onClick=${() => verifyAll(false, again)}>Check the disk</button><button onClick=${() => verifyAll(true, again)}>Check and repair</button><button onClick=${() => evictNow()}>Free some room</button></div>
  </section>`;
}

/** @param {(text: string) => void} set */
function typed(set) {
  return (/** @type {Event & { currentTarget: HTMLInputElement }} */ { currentTarget }) =>
    set(currentTarget.value);
}

/** @param {{ readonly jobs: any }} props */
function JobList({ jobs }) {
  const now = status.value?.now ?? Date.now();
  return html`<section class="card"><header><h2>Jobs</h2></header><${Waiting} asked=${jobs} />
    ${jobs.data?.items.length === 0 && html`<p class="empty">No job has run yet.</p>`}
    <ul class="rows">${jobs.data?.items.map((/** @type {any} */ job) => html`<${Job} key=${job.id} job=${job} now=${now} again=${jobs.again} />`)}</ul></section>`;
}

/** @param {{ readonly job: any, readonly now: number, readonly again: () => void }} props */
function Job({ job, now, again }) {
  const { id, title, state, startedAt, endedAt, progress, reason } = job;
  const { bytes, things } = progress;
  const isRunning = state === "running";
  const kind =
    { running: "note", done: "good", failed: "bad", stopped: "quiet" }[/** @type {string} */ (state)] ??
    "quiet";
  const [done, total] = bytes.total > 0 ? [bytes.done, bytes.total] : [things.done, things.total];
  return html`<li><span class="name"><strong>${title}</strong></span><span class=${`right ${kind}`}>${isRunning && total > 0 ? percent(done, total) : state}</span>
    ${isRunning && html`<div class="meter wide-row" role="progressbar" aria-valuemin="0" aria-valuemax=${total} aria-valuenow=${done} aria-label=${title}><i style=${{ width: `${total > 0 ? (done / total) * 100 : 0}%` }}></i></div>`}
    <span class="small quiet">job ${id} · ${isRunning ? `for ${duration(now - startedAt)}` : `${ago(startedAt, now)}, took ${duration((endedAt ?? startedAt) - startedAt)}`}${bytes.done > 0 && ` · ${size(bytes.done)}`}${reason !== undefined && ` · ${reason}`}</span>
    <span class="right">${isRunning && html`<button class="plain" onClick=${() => stopJob(id, again)}>Stop<span class="hidden"> job ${id}</span></button>`}</span></li>`;
}

/** @param {{ readonly again: () => void }} props */
function WarmUps({ again }) {
  const asked = useAsked((signal) => get("/api/v1/warm", {}, signal), []);
  const now = status.value?.now ?? Date.now();
  const begin = async (/** @type {string} */ list) => {
    const { job } = await post("/api/v1/warm", { list });
    say({ text: `It is coming in: job ${job.id}.` });
    again();
  };
  return html`<section class="card"><header><h2>Warm-ups</h2><span class="quiet">from the settings</span></header><${Waiting} asked=${asked} />
    ${asked.data?.items.length === 0 && html`<p class="quiet">None. <code>warm:</code> in the settings names what is to be here each morning.</p>`}
    <ul class="rows">${asked.data?.items.map(
      (
        /** @type {any} */ each,
      ) => html`<li key=${each.name}><span class="cut"><strong>${each.name}</strong> <span class="quiet">${each.references.join(", ")}</span></span>
      <span class="right"><button class="plain" onClick=${() => begin(each.name)}>Now</button></span>
      <span class="small quiet">${each.schedule ?? "when a tag moves"}${each.dueAt !== undefined && ` · next ${moment(each.dueAt, now)}`}</span></li>`,
    )}</ul></section>`;
}

function Kept() {
  const asked = useAsked((signal) => get("/api/v1/keep", {}, signal), []);
  const [pattern, setPattern] = useState("");
  return html`<section class="card"><header><h2>Kept</h2><span class="quiet">never evicted</span></header><${Waiting} asked=${asked} />
    <ul class="rows">${asked.data?.rules.map(
      (/** @type {any} */ rule) => html`<li key=${rule.pattern}><span class="name">${rule.pattern}</span>
      <span class="right">${rule.from === "command" ? html`<button class="plain" onClick=${() => unkeepName(rule.pattern, asked.again)}>Take back<span class="hidden"> ${rule.pattern}</span></button>` : html`<span class="quiet small">from the settings</span>`}</span>
      <span class="small quiet">${rule.names} names, ${size(rule.size)} of ${size(rule.wanted)}</span></li>`,
    )}</ul>
    <form class="bar" onSubmit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      keepName(pattern.trim(), asked.again);
    }}><label class="bar search"><span class="hidden">Name pattern</span><input required placeholder="alpine:3.*, ghcr.io/org/**" value=${pattern} onInput=${typed(setPattern)} /></label><button>Keep</button></form></section>`;
}

function HeldBack() {
  const asked = useAsked((signal) => get("/api/v1/held-back", {}, signal), [], 10_000);
  const now = status.value?.now ?? Date.now();
  if (asked.data === undefined || asked.data.items.length === 0) return null;
  const approve = async (/** @type {string} */ pattern) => {
    await post("/api/v1/approve", { pattern });
    say({ text: `${pattern} may pass.` });
    asked.again();
  };
  return html`<section class="card"><header><h2>Held back</h2><span class="quiet">by a cooldown</span></header>
    <ul class="rows">${asked.data.items.map((/** @type {any} */ held) => {
      const name = `${held.upstream}/${held.repository}:${held.tag}`;
      return html`<li key=${name}><span class="name">${name}</span><span class="right"><button class="plain" onClick=${() => approve(name)}>Let it pass<span class="hidden">: ${name}</span></button></span>
        <span class="small quiet">${held.passesAt !== undefined && `passes ${moment(held.passesAt, now)}`}</span></li>`;
    })}</ul></section>`;
}

function Passage() {
  const asked = useAsked((signal) => get("/api/v1/rules", {}, signal), []);
  const rules = asked.data?.items ?? asked.data?.rules ?? [];
  if (rules.length === 0) return null;
  return html`<section class="card"><header><h2>What may pass</h2></header>
    <ul class="rows">${rules.map((/** @type {any} */ rule) => html`<li key=${`${rule.kind} ${rule.pattern}`}><span class="name"><span class=${`tag ${rule.kind === "deny" ? "bad" : "good"}`}>${rule.kind}</span> ${rule.pattern}</span><span class="right small quiet">${rule.from}</span></li>`)}</ul></section>`;
}

function Line() {
  const asked = useAsked((signal) => get("/api/v1/bandwidth", {}, signal), [], AGAIN_MS);
  const offline = (status.value?.upstreams ?? []).filter(({ offlineSince }) => offlineSince !== undefined);
  return html`<section class="card"><header><h2>The line</h2><span class="quiet">${asked.data?.total === undefined ? "no limit" : `at most ${rate(asked.data.total)}`}</span></header>
    <ul class="rows">${offline.map(({ name }) => html`<li key=${name}><span>${name} <span class="note">offline</span></span><span class="right"><button class="plain" onClick=${() => setOffline(false, name)}>Use it again</button></span></li>`)}</ul>
    <div class="bar more"><button onClick=${() => setOffline(true, undefined)}>Set all offline</button></div></section>`;
}
