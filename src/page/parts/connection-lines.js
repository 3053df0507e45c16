/** Owns what the frame says above every view: that the server is away, gives no stream, or is another version, and that somebody may only look. */
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { access } from "../access.js";
import { duration, moment, rate, size } from "../format.js";
import { connection, flow, lost, refusal, status, tryNow } from "../live.js";
import { Icon } from "./icon.js";

/** In the head of the page: whether its numbers are of this second. */
export function Live() {
  const { served, fetched } = flow.value;
  const state = connection.value;
  const [mark, text] =
    state === "connecting"
      ? ["quiet", "connecting"]
      : state === "lost"
        ? ["bad", "no answer"]
        : ["good", "live"];
  return html`<p class="live" title=${`${size(served)} to clients and ${size(fetched)} from the internet in a second`}>
    ${mark === "good" && html`<span class="rate">${rate(served)}</span>`}<span class=${`dot ${mark}`}></span>${text}
  </p>`;
}

export function ConnectionLines() {
  return html`${connection.value === "lost" && html`<${Away} />`}<${Upgraded} /><${Crowded} /><${Looking} />`;
}

function Away() {
  const { reason, retryAt } = lost.value;
  const shownAt = status.value?.now;
  const age =
    shownAt === undefined
      ? "This page goes on by itself as soon as it is back."
      : `What you see is from ${moment(shownAt, Date.now())}. This page goes on by itself.`;
  return html`<div class="banner bad away"><${Icon} name="warning" />
    <p><span role="alert">${reason} ${age}</span> <span class="quiet"><${Countdown} until=${retryAt} /></span></p>
    <button class="push" type="button" disabled=${retryAt === undefined} onClick=${tryNow}>Try now</button></div>`;
}

/** @param {{ readonly until: number | undefined }} props */
function Countdown({ until }) {
  const [, setNow] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  if (until === undefined || until <= Date.now()) return "Trying now …";
  return `Next try in ${duration(Math.ceil((until - Date.now()) / 1000) * 1000)}.`;
}

function Crowded() {
  return (
    refusal.value !== "" &&
    html`<p class="banner note" role="status"><${Icon} name="warning" />
      <span>${refusal.value} Until then the numbers here come every two seconds.</span></p>`
  );
}

/** The version of the server when this page was opened. @type {string | undefined} */
let opened;
const RELOADED = "granary-reloaded";
const MINUTE_MS = 60_000;

/** A page of another version than its server would ask for what is not there any more. */
function Upgraded() {
  const now = status.value?.version;
  opened ??= now;
  const isOther = now !== opened;
  useEffect(() => {
    if (isOther && !isInUse() && isFirstReload()) location.reload();
  }, [isOther]);
  return (
    isOther &&
    html`<div class="banner note" role="status"><${Icon} name="refresh" /><p>Granary is now version ${now}; this page is of version ${opened}.</p>
      <button class="push" type="button" onClick=${() => location.reload()}>Reload</button></div>`
  );
}

/** Somebody is in the midst of something: then it is theirs to say when. */
function isInUse() {
  return document.querySelector("dialog[open], input:focus, textarea:focus, select:focus") !== null;
}

/** Between two servers of different versions a page does not go back and forth. */
function isFirstReload() {
  try {
    const isSoon = Date.now() - Number(sessionStorage.getItem(RELOADED) ?? 0) < MINUTE_MS;
    sessionStorage.setItem(RELOADED, String(Date.now()));
    return !isSoon;
  } catch {
    return false;
  }
}

/** For who may only look. */
function Looking() {
  return (
    access.value?.mayChange === false &&
    connection.value !== "lost" &&
    html`<p class="banner quiet looking"><${Icon} name="lock" /><span>You may look. <a href="/login">Log in</a> to change things.</span></p>`
  );
}

/** Only a browser that has logged in can log out. */
export function LogOut() {
  const { mayChange, needsToken } = access.value ?? {};
  return (
    mayChange &&
    needsToken &&
    html`<form class="logout" method="post" action="/logout"><button class="plain">Log out</button></form>`
  );
}
