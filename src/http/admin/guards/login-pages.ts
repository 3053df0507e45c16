/** Owns the two pages that a browser sees before it is logged in. */
import { html } from "hono/html";
import { htmlPage } from "../html-page.ts";

/** `problem`: what was wrong with the last try. */
export function loginPage(problem?: string) {
  const alert = problem === undefined ? "" : html`<p role="alert">${problem}</p>`;
  const body = html`<h1>Granary</h1>${alert}
<form method="post" action="/login">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Log in</button>
</form>
<p>The token is in the settings of this Granary, or in the file <code>admin-token</code> of its storage directory.</p>`;
  return htmlPage({ title: "Log in to Granary", body }, "small");
}

/** Takes a browser that was just given its cookie to the page. */
export function goOnPage() {
  const head = html`<meta http-equiv="refresh" content="0;url=/">`;
  return htmlPage(
    { title: "Granary", body: html`<p>You are logged in. <a href="/">Go on</a></p>`, head },
    "small",
  );
}
