/** Owns the frame: the names of the views, whether the server is there, and the view that is open. */
import { html } from "htm/preact";
import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { rate, size } from "./format.js";
import { connection, flow, listen, status } from "./live.js";
import { Confirm } from "./parts/confirm.js";
import { Icon } from "./parts/icon.js";
import { Toasts } from "./parts/toast.js";
import { route } from "./route.js";
import { Contents } from "./views/contents.js";
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
  ["trouble", "Trouble", "warning", Trouble],
]);

function Page() {
  const { view } = route.value;
  const found = VIEWS.find(([name]) => name === (view === "show" ? "contents" : view)) ?? VIEWS[0];
  const [name, title, , View] = found;
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${title} – Granary`;
    // Who changes the view by keyboard or screen reader goes on in it.
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
  }, [view]);
  return html`<div class="frame">
    <header class="top">
      <a class="brand" href="#/now"><${Icon} name="granary" />Granary</a>
      <nav class="views" aria-label="Views">
        ${VIEWS.map(
          ([
            each,
            label,
            icon,
          ]) => html`<a key=${each} href=${`#/${each}`} aria-current=${each === name ? "page" : undefined}>
          <${Icon} name=${icon} />${label}${each === "trouble" && html`<${TroubleCount} />`}
        </a>`,
        )}
      </nav>
      <${Live} />
    </header>
    <main ref=${main} tabindex="-1" aria-label=${title}>
      ${
        connection.value === "lost" &&
        html`<p class="banner bad" role="alert"><${Icon} name="warning" />
        <span>Granary does not answer. What you see is from before; this page goes on by itself as soon as it is back.</span></p>`
      }
      ${view === "show" ? html`<${Show} />` : html`<${View} />`}
    </main>
    <${Confirm} /><${Toasts} />
  </div>`;
}

function TroubleCount() {
  const count = status.value?.troubles.length ?? 0;
  return count > 0 && html`<span class="count">${count}<span class="hidden"> troubles</span></span>`;
}

/** Whether the numbers are of this second. */
function Live() {
  const [mark, text] =
    { connecting: ["quiet", "connecting"], live: ["good", "live"], lost: ["bad", "no answer"] }[
      connection.value
    ] ?? [];
  const { served, fetched } = flow.value;
  return html`<p class="live" title=${`${size(served)} to clients and ${size(fetched)} from the internet in a second`}>
    ${connection.value === "live" && html`<span class="rate">${rate(served)}</span>`}<span class=${`dot ${mark}`}></span>${text}
  </p>`;
}

listen();
const place = document.getElementById("page");
if (place !== null) {
  place.replaceChildren();
  render(html`<${Page} />`, place);
}
