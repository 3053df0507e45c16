/**
 * Owns the form of the pages that the admin face writes itself: no script, nothing from another host, one style, whose hash the
 * Content-Security-Policy names.
 */
import { createHash } from "node:crypto";
import { html, raw } from "hono/html";

/** The colours of the page's own style (src/page/style/tokens.css). */
const STYLE = `:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}
body{max-width:60rem;margin:3rem auto;padding:0 1rem;background:light-dark(#f7f3ea,#13110d);color:light-dark(#231c12,#f3ece0)}
body.small{max-width:24rem;margin-top:18vh}
h1 svg{width:2rem;height:2rem;margin-right:.6rem;vertical-align:-.45rem;fill:light-dark(#7d4f00,#f3bd55)}
h1 svg .grain{fill:light-dark(#f7f3ea,#13110d)}
a{color:light-dark(#7d4f00,#f3bd55)}
:focus-visible{outline:2px solid light-dark(#7d4f00,#f3bd55);outline-offset:2px}
input,button{font:inherit;min-height:2.75rem;padding:0 .75rem;border:1px solid light-dark(#8f836f,#7d7362);border-radius:.625rem}
input{width:100%;box-sizing:border-box;margin:.25rem 0 .75rem;background:light-dark(#fffdf9,#1c1914);color:inherit}
button{border-color:transparent;background:light-dark(#7d4f00,#f3bd55);color:light-dark(#fffdf9,#201703);font-weight:500;cursor:pointer}
[role=alert]{border-left:.25rem solid light-dark(#b3261e,#ff9087);padding-left:.75rem}
code{font-family:ui-monospace,monospace;overflow-wrap:anywhere}
dt{margin-top:1rem}dd{margin-left:1.5rem}`;

/** For `style-src` of the Content-Security-Policy. */
export const STYLE_HASH = `sha256-${createHash("sha256").update(STYLE).digest("base64")}`;

export type PageParts = { readonly title: string; readonly body: unknown; readonly head?: unknown };

/** `body` and `head` come from hono's `html`, which escapes what is put into them. */
export function htmlPage({ title, body, head = "" }: PageParts, size: "small" | "wide") {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${title}</title>
${head}
<style>${raw(STYLE)}</style>
</head>
<body class="${size}">
${body}
</body>
</html>
`;
}
