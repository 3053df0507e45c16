/** Owns the two pages that a browser sees before it is logged in. */
import { html, raw } from "hono/html";
import { htmlPage } from "../html-page.ts";

/** Inside the document: who is not logged in gets no file, and a browser that is told of none asks for one all the same. */
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='7' fill='%238a5a00'/%3E%3Cpath d='M16 5 5.5 12v15h21V12Z' fill='none' stroke='%23fff' stroke-width='2.2'/%3E%3C/svg%3E";

const ICON_LINK = html`<link rel="icon" href="${raw(ICON)}">`;

/** `problem`: what was wrong with the last try. */
export function loginPage(problem?: string) {
  const alert = problem === undefined ? "" : html`<p role="alert">${problem}</p>`;
  const body = html`<h1>Granary</h1>${alert}
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
