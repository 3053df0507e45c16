/**
 * Owns the form of the pages that the admin face writes itself: no script, nothing from another host, one style, whose hash the
 * Content-Security-Policy names.
 */
import { createHash } from "node:crypto";
import { html, raw } from "hono/html";

const STYLE = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:60rem;margin:3rem auto;padding:0 1rem}
body.small{max-width:26rem;margin-top:18vh}
input,button{font:inherit;padding:.5rem .7rem;border:1px solid;border-radius:.4rem}
input{width:100%;box-sizing:border-box;margin:.3rem 0 .8rem}
[role=alert]{border-left:.25rem solid #c33;padding-left:.7rem}
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
