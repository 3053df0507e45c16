/** Owns the two pages that a browser sees before it is logged in. No script, no request to anywhere, one style, whose hash the policy names. */
import { createHash } from "node:crypto";
import { html, raw } from "hono/html";

const STYLE = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:26rem;margin:18vh auto 0;padding:0 1rem}
input,button{font:inherit;padding:.5rem .7rem;border:1px solid;border-radius:.4rem}
input{width:100%;box-sizing:border-box;margin:.3rem 0 .8rem}
[role=alert]{border-left:.25rem solid #c33;padding-left:.7rem}`;

/** For `style-src` of the Content-Security-Policy. */
export const STYLE_HASH = `sha256-${createHash("sha256").update(STYLE).digest("base64")}`;

/** `problem`: what was wrong with the last try. */
export function loginPage(problem?: string) {
  const alert = problem === undefined ? "" : html`<p role="alert">${problem}</p>`;
  return page(
    "Log in to Granary",
    html`<h1>Granary</h1>${alert}
<form method="post" action="/login">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Log in</button>
</form>
<p>The token is in the settings of this Granary, or in the file <code>admin-token</code> of its storage directory.</p>`,
  );
}

/** Takes a browser that was just given its cookie to the page. */
export function goOnPage() {
  const refresh = html`<meta http-equiv="refresh" content="0;url=/">`;
  return page("Granary", html`<p>You are logged in. <a href="/">Go on</a></p>`, refresh);
}

function page(title: string, body: unknown, head: unknown = "") {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${title}</title>
${head}
<style>${raw(STYLE)}</style>
</head>
<body>
${body}
</body>
</html>
`;
}
