/** Owns the frame: the names of the views, the view that is open, and what the tab of the browser says. */
import { html } from "htm/preact";
import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { sizeParts } from "./format.js";
import { connection, listen, status } from "./live.js";
import { Boundary } from "./parts/boundary.js";
import { Confirm } from "./parts/confirm.js";
import { ConnectionLines, Live, LogOut } from "./parts/connection-lines.js";
import { Icon } from "./parts/icon.js";
import { Logo } from "./parts/logo.js";
import { Toasts } from "./parts/toast.js";
import { linkTo, route } from "./route.js";
import { Contents } from "./views/contents.js";
import { Fleet } from "./views/fleet.js";
import { History } from "./views/history.js";
import { Jobs } from "./views/jobs.js";
import { Now } from "./views/now.js";
import { Setup } from "./views/setup.js";
import { Show } from "./views/show.js";
import { Trouble } from "./views/trouble.js";

const VIEWS = /** @type {const} */ ([
  ["now", "Now", "pulse", Now],
  ["contents", "Contents", "boxes", Contents],
  ["history", "History", "chart", History],
  ["setup", "Set up", "plug", Setup],
  ["jobs", "Jobs and rules", "list", Jobs],
  ["fleet", "Fleet", "nodes", Fleet],
  ["trouble", "Trouble", "warning", Trouble],
]);

function Page() {
  const { view, query } = route.value;
  const views = viewsNow();
  const found = views.find(([name]) => name === (view === "show" ? "contents" : view));
  const [name, title, , View] = found ?? VIEWS[0];
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  const isFirst = useRef(true);
  useEffect(() => {
    // Who changes the view by keyboard or screen reader goes on in it, at its beginning.
    if (!isFirst.current) main.current?.focus();
    if (!isFirst.current) scrollTo(0, 0);
    isFirst.current = false;
  }, [view]);
  /** @param {Event} event */
  const skip = (event) => {
    event.preventDefault();
    main.current?.focus();
  };
  return html`<div class="frame">
    <a class="skip" href=${linkTo(view, query)} onClick=${skip}>Skip to the content</a>
    <header class="top">
      <a class="brand" href="#/now"><${Logo} />Granary</a>
      <nav class="views" aria-label="Views">
        ${views.map(
          ([
            each,
            label,
            icon,
          ]) => html`<a key=${each} href=${`#/${each}`} aria-current=${each === name ? "page" : undefined}>
          <${Icon} name=${icon} /><${Label} text=${label} />${each === "trouble" && html`<${TroubleCount} />`}
        </a>`,
        )}
      </nav>
      <${Live} /><${LogOut} />
    </header>
    <main ref=${main} tabindex="-1" aria-label=${view === "show" ? query.reference : title} data-old=${connection.value === "lost" ? "" : undefined}>
      <${ConnectionLines} />
      ${found === undefined && html`<p class="banner note" role="status"><${Icon} name="warning" /><span>There is no view of this name. This is what happens now.</span></p>`}
      <${Boundary} key=${view === "show" ? query.reference : name} what="This view">${view === "show" ? html`<${Show} />` : html`<${View} />`}<//>
    </main>
    <${Boundary} what="What was to be confirmed"><${Confirm} /><//><${Toasts} /><${Tab} title=${title} />
  </div>`;
}

/** Of a Granary that is alone nobody is shown a fleet; until the first snapshot, who has its address is. */
function viewsNow() {
  const isAlone =
    status.value === undefined ? route.value.view !== "fleet" : status.value.fleet === undefined;
  return isAlone ? VIEWS.filter(([name]) => name !== "fleet") : VIEWS;
}

/** What follows "and" is left out where there is no room. @param {{ readonly text: string }} props */
function Label({ text }) {
  const [first, further] = text.split(/(?= and )/);
  return html`<span>${first}${further !== undefined && html`<span class="further">${further}</span>`}</span>`;
}

function TroubleCount() {
  const count = status.value?.troubles.length ?? 0;
  return count > 0 && html`<span class="count">${count}<span class="hidden"> troubles</span></span>`;
}

/** The tab of the browser tells what there is to know while another one is looked at. @param {{ readonly title: string }} props */
function Tab({ title }) {
  const count = status.value?.troubles.length ?? 0;
  const isLost = connection.value === "lost";
  const saved = sizeParts(Math.max(0, status.value?.traffic.all.saved ?? 0)).join(" ");
  const state = isLost
    ? "▲ no answer"
    : count > 0
      ? `▲ ${count} ${count === 1 ? "trouble" : "troubles"}`
      : "";
  const name = state || (title === "Now" && status.value !== undefined ? `${saved} saved` : title);
  const icon = isLost || count > 0 ? "icon-trouble.svg" : "icon.svg";
  useEffect(() => {
    document.title = `${name} – Granary`;
  }, [name]);
  useEffect(() => {
    const link = document.querySelector("link[rel=icon]");
    if (link instanceof HTMLLinkElement) link.href = link.href.replace(/[^/]+$/, icon);
  }, [icon]);
  return null;
}

void listen();
const place = document.getElementById("page");
if (place !== null) {
  place.replaceChildren();
  render(html`<${Page} />`, place);
}
