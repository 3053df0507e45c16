/** Shows that the page uses nothing that browsers of two years ago do not know: Chrome 126, Firefox 128, Safari 18 (docs/configuration.md names them). */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = "src/page";

/** What came later, as one would write it; features that a browser without them passes over without harm are not among them. */
const TOO_NEW: readonly (readonly [string, RegExp])[] = [
  [
    "methods of iterators",
    /\.(values|keys|entries)\(\)\s*\.(map|filter|take|drop|toArray|some|every|find|reduce|forEach|flatMap)\(/,
  ],
  ["Iterator", /\bIterator\.(from|concat|zip)/],
  ["Promise.try", /\bPromise\.try\b/],
  ["RegExp.escape", /\bRegExp\.escape\b/],
  ["Error.isError", /\bError\.isError\b/],
  ["base64 of bytes", /\b(to|from)(Base64|Hex)\(/],
  ["Intl.DurationFormat", /\bDurationFormat\b/],
  ["Math.sumPrecise", /\bsumPrecise\b/],
  ["using", /^\s*(await )?using \w+ =/m],
  ["a stream in for await", /for await \([^()]* of [\w.?]+\.body\)/],
  ["requestClose of a dialog", /\.requestClose\(/],
  ["commands of buttons", /\bcommandfor\b|\bclosedby\b/],
  ["transitions of views", /\bstartViewTransition\b/],
  ["moveBefore", /\.moveBefore\(/],
  ["modules of JSON and CSS", /\bwith\s*\{\s*type:/],
  ["@scope", /@scope\b/],
  ["anchors", /\banchor-name\b|\bposition-anchor\b/],
  ["sizes that are computed from auto", /\binterpolate-size\b|\bcalc-size\(/],
  ["functions and conditions of CSS", /@function\b|\bif\(\s*(style|media|supports)\(/],
];

const files = readdirSync(ROOT, { recursive: true, encoding: "utf8" }).filter((name) =>
  /\.(js|css|html)$/.test(name),
);

test.each(TOO_NEW)("the page has no %s", (_, pattern) => {
  expect(files.length).toBeGreaterThan(20);
  expect(files.filter((name) => pattern.test(readFileSync(join(ROOT, name), "utf8")))).toEqual([]);
});
