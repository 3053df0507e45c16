/**
 * Owns the live line of a client that is being set up: grey until the first request of such a client comes in, green when it works, yellow with
 * the reason when it reaches Granary and fails. Pulls of the last minutes count too: people set up first and look then.
 */
import { effect } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { get } from "../api.js";
import { arrivalOfEvent, arrivalOfPull, newestByMachine } from "../arrivals.js";
import { clientKind } from "../clients.js";
import { moment, nameOf, size } from "../format.js";
import { events, status } from "../live.js";
import { linkTo } from "../route.js";
import { useAsked } from "./asked.js";
import { Icon } from "./icon.js";

/** @typedef {import("../arrivals.js").Arrival} Arrival */

const RECENT_MS = 300_000;
const MOST_HEARD = 200;
const MOST_SHOWN = 6;
const LOOKED_THROUGH = 200;

/** What was told of such clients since this view was opened. @param {readonly string[]} agents */
function useHeard(agents) {
  const [heard, setHeard] = useState(/** @type {readonly Arrival[]} */ ([]));
  useEffect(
    () =>
      effect(() => {
        const found = events.value
          .map(arrivalOfEvent)
          .filter((each) => each !== undefined)
          .filter(({ agent }) => agents.includes(agent));
        if (found.length > 0) setHeard((before) => [...found, ...before].slice(0, MOST_HEARD));
      }),
    [],
  );
  return heard;
}

/** @param {{ readonly client: string }} props */
export function FirstPull({ client }) {
  const { title, agents } = clientKind(client);
  const now = status.value?.now;
  const [opened, setOpened] = useState(now);
  useEffect(() => {
    // Times are those of the server: the clock of a browser may be another one.
    if (opened === undefined && now !== undefined) setOpened(now);
  }, [now]);
  const earlier = useAsked((signal) => get("/api/v1/pulls", { limit: LOOKED_THROUGH }, signal), []);
  const heard = useHeard(agents);
  if (opened === undefined || now === undefined)
    return html`<${Line} kind="quiet" text="Connecting to Granary …" />`;
  const running = status.value?.pulls ?? [];
  const found = newestByMachine(
    [...(earlier.data?.items ?? []).map(arrivalOfPull), ...running.map(arrivalOfPull), ...heard],
    agents,
    opened - RECENT_MS,
    status.value?.clients ?? [],
  );
  return html`<${Line} ...${lineOf(found, title)} />
    <ul class="rows arrivals">${found.slice(0, MOST_SHOWN).map((each) => html`<${Machine} key=${`${each.client} ${each.agent}`} of=${each} opened=${opened} now=${now} />`)}</ul>
    ${found.length > MOST_SHOWN && html`<p class="quiet small">and ${found.length - MOST_SHOWN} more machines</p>`}`;
}

/** @typedef {{ readonly kind: "quiet" | "good" | "note", readonly text: string, readonly isWaiting?: boolean }} LineProps */

/** @param {readonly Arrival[]} found @param {string} title @returns {LineProps} */
function lineOf(found, title) {
  if (found.length === 0)
    return { kind: "quiet", text: `Waiting for the first request of ${title} …`, isWaiting: true };
  if (found.every(({ state }) => state === "failed"))
    return { kind: "note", text: `${title} reaches Granary, but the pull failed.` };
  const isSeen = found.every(({ state }) => state === "seen" || state === "failed");
  return {
    kind: "good",
    text: isSeen ? `${title} reaches Granary.` : `It works: ${title} pulls through Granary.`,
  };
}

/** @param {LineProps} props */
function Line({ kind, text, isWaiting = false }) {
  return html`<p class=${`banner arrival-line ${kind}`} role="status">
    ${kind === "quiet" ? html`<span class=${`dot ${isWaiting ? "waiting" : ""}`}></span>` : html`<${Icon} name=${kind === "good" ? "check" : "warning"} />`}
    <span>${text}</span></p>`;
}

/** @param {{ readonly of: Arrival, readonly opened: number, readonly now: number }} props */
function Machine({ of, opened, now }) {
  const { client = "a machine", agent, state, at, reason } = of;
  return html`<li data-state=${state}>
    <span class="name"><span class=${`dot inline ${state === "failed" ? "note" : "good"}`}></span> <strong>${client}</strong> ${at >= opened && html`<span class="tag">new</span>`}</span>
    <span class="right quiet small">${moment(at, now)}</span>
    <span class="wide-row name">${said(of)} <span class="quiet">(${agent})</span></span>
    ${state === "failed" && html`<span class="wide-row name note">${reason ?? "It failed."} <a href=${linkTo("trouble")}>What to do</a></span>`}</li>`;
}

/** What it did. @param {Arrival} arrival */
function said({ state, upstream, repository, tag, served }) {
  const name =
    upstream === undefined || repository === undefined ? "" : nameOf({ upstream, repository, tag });
  if (name === "")
    return state === "seen" ? "asked for something" : "asked for something that it was not given";
  if (state === "failed") return `could not pull ${name}`;
  return `${state === "done" ? "pulled" : "pulls"} ${name}, ${size(served)}${state === "done" ? "" : " so far"}`;
}
