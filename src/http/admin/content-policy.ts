/**
 * Owns the Content-Security-Policy of every answer of the admin face: nothing from another host, no script and no style inside a document but
 * those whose hash it names (Content Security Policy Level 3). Pure.
 */
import { STYLE_HASH } from "./html-page.ts";

/** `scriptHash`: of the one script inside a document that browsers take from nowhere else, its import map: "sha256-…". */
export function contentPolicy(scriptHash?: string): string {
  const inside = scriptHash === undefined ? "" : ` '${scriptHash}'`;
  return [
    "default-src 'none'",
    `script-src 'self'${inside}`,
    `style-src 'self' '${STYLE_HASH}'`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
