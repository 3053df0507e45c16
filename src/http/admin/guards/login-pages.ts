/** Owns the two pages that a browser sees before it is logged in. */
import { html, raw } from "hono/html";
import { htmlPage } from "../html-page.ts";

/** The shape of src/page/icon.svg. */
const HOUSE =
  "M14.9 1.7a2 2 0 0 1 2.2 0L29.6 9.9a2 2 0 0 1 .9 1.7v15.9a3 3 0 0 1-3 3h-23a3 3 0 0 1-3-3V11.6a2 2 0 0 1 .9-1.7Z";
const GRAIN =
  "M16 6c2.9 2.7 2.9 5.5 0 8-2.9-2.5-2.9-5.3 0-8ZM15.2 20.2c-4-.2-6.2-2.6-6-6.6 4 .4 6 2.7 6 6.6ZM16.8 20.2c4-.2 6.2-2.6 6-6.6-4 .4-6 2.7-6 6.6ZM15.2 27c-4-.2-6.2-2.6-6-6.6 4 .4 6 2.7 6 6.6ZM16.8 27c4-.2 6.2-2.6 6-6.6-4 .4-6 2.7-6 6.6Z";

const LOGO = html`<svg viewBox="0 0 32 32" aria-hidden="true"><path d="${HOUSE}" /><path class="grain" d="${GRAIN}" /></svg>`;

/** Inside the document: who is not logged in gets no file, and a browser that is told of none asks for one all the same. */
const ICON = `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path fill="#8a5800" d="${HOUSE}"/><path fill="#ffe2a3" d="${GRAIN}"/></svg>`)}`;

const ICON_LINK = html`<link rel="icon" href="${raw(ICON)}">`;

/** `problem`: what was wrong with the last try. */
export function loginPage(problem?: string) {
  const alert = problem === undefined ? "" : html`<p role="alert">${problem}</p>`;
  const body = html`<h1>${LOGO}Granary</h1>${alert}
<form method="post" action="/login">
<input name="username" autocomplete="username" value="granary" hidden>
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Log in</button>
</form>
<p>The token is in the settings of this Granary, or in the file <code>admin-token</code> of its storage directory.</p>`;
  return htmlPage({ title: "Log in to Granary", body, head: ICON_LINK }, "small");
}

/** Takes a browser that was just given its cookie to the page. */
export function goOnPage() {
  const head = html`${ICON_LINK}<meta http-equiv="refresh" content="0;url=/">`;
  return htmlPage(
    { title: "Granary", body: html`<p>You are logged in. <a href="/">Go on</a></p>`, head },
    "small",
  );
}
