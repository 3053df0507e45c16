/** Owns a job that a dialog has begun, followed there until it ends: how far it is, and the way to stop it. Who closes the dialog stops nothing. */
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { get, post } from "../api.js";
import { percent, size } from "../format.js";
import { linkTo } from "../route.js";
import { useAsked } from "./asked.js";

const EVERY_MS = 700;

/**
 * @param {{ readonly job: any, readonly ended: ((job: any) => string) | undefined, readonly finish: (text: string) => void,
 *   readonly after: (() => void) | undefined, readonly close: () => void }} props
 */
export function FollowedJob({ job: begun, ended, finish, after, close }) {
  const asked = useAsked((signal) => get(`/api/v1/jobs/${begun.id}`, {}, signal), [begun.id], EVERY_MS);
  const [stopping, setStopping] = useState("");
  const job = asked.data ?? begun;
  useEffect(() => {
    if (job.state === "done") finish(ended?.(job) ?? `${job.title}: done.`);
    else if (job.state !== "running") after?.();
  }, [job.state]);
  const stop = () => {
    setStopping("It stops …");
    post(`/api/v1/jobs/${begun.id}/stop`).catch((error) => setStopping(error.message));
  };
  if (job.state !== "running")
    return html`<p class="banner bad" role="alert"><span>${job.state === "stopped" ? "It was stopped" : "It failed"}: ${job.reason ?? "no reason is known"}</span></p>
      <div class="bar ends"><button class="push main" type="button" onClick=${close}>Close</button></div>`;
  const { bytes, things } = job.progress;
  const [done, total] = bytes.total > 0 ? [bytes.done, bytes.total] : [things.done, things.total];
  return html`<div class="stack" role="status">
      <p>${job.title}${total > 0 ? `: ${percent(done, total)}` : " …"}${bytes.total > 0 && html` <span class="quiet">${size(bytes.done)} of ${size(bytes.total)}</span>`}</p>
      <progress aria-label=${job.title} max=${total > 0 ? total : undefined} value=${total > 0 ? done : undefined}></progress>
      ${asked.error !== undefined && html`<p class="note">${asked.error.message}</p>`}${stopping !== "" && html`<p class="quiet">${stopping}</p>`}
    </div>
    <p class="quiet small">It goes on when you close this: <a href=${linkTo("jobs")} onClick=${close}>Jobs and rules</a> has it.</p>
    <div class="bar ends"><button class="push" type="button" data-change disabled=${stopping !== ""} onClick=${stop}>Stop it</button><button class="main" type="button" onClick=${close}>Close</button></div>`;
}
