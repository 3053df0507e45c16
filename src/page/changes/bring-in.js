/** Owns how a person brings an image or a model in. */
import { html } from "htm/preact";
import { post } from "../api.js";
import { size } from "../format.js";
import { confirmChange } from "../parts/confirm.js";
import { commandLine, wordsIn } from "../shell.js";

/** @typedef {Extract<import("zod").infer<typeof import("../../http/admin/routes/warm-routes.ts").warmAnswerSchema>, { preview: unknown }>["preview"]} Preview */

/** What people have machines of. */
const PLATFORMS = ["linux/amd64", "linux/arm64", "linux/arm/v7", "windows/amd64"];

/**
 * @param {string} reference @param {string} platforms several with a comma or a space between them; "" for all @param {() => void} after
 * @param {string} [title] as people write it
 */
export function warmNow(reference, platforms, after, title = reference) {
  confirmChange(warming(reference, platforms, after, title));
}

/**
 * @param {string} reference @param {string} platforms @param {() => void} after @param {string} title
 * @returns {import("../parts/confirm.js").Change}
 */
function warming(reference, platforms, after, title) {
  const chosen = wordsIn(platforms);
  const body = { references: [reference], ...(chosen.length > 0 && { platforms: chosen }) };
  return {
    title: `Bring in ${title}`,
    command: commandLine(
      "granary",
      "warm",
      reference,
      ...chosen.flatMap((platform) => ["--platform", platform]),
    ),
    verb: "Bring it in",
    choice: {
      label: "For which platforms",
      value: platforms,
      suggestions: PLATFORMS,
      placeholder: "all that there are",
      hint: "Several with a comma between them. Empty stands for all of them, and models have none.",
      with: (value) => warming(reference, value, after, title),
    },
    trial: () => post("/api/v1/warm", body, { dryRun: true }),
    describe: ({ preview }) => html`<${WhatComes} preview=${preview} />`,
    isEmpty: ({ preview: { lines } }) => lines.every((/** @type {any} */ { outcome }) => outcome !== "fetch"),
    act: () => post("/api/v1/warm", body),
    done: ({ job }) => `It is coming in: job ${job.id}.`,
    ended: ({ result }) => endOf(result, title),
    after,
  };
}

/** @param {{ readonly preview: Preview }} props */
function WhatComes({ preview: { lines, leftOut, bytes, pulls, budget } }) {
  const isAllHere = lines.length > 0 && lines.every((/** @type {any} */ { outcome }) => outcome === "here");
  return html`<p>${isAllHere ? `All of it is here already: ${size(bytes.here)}.` : html`<strong>${size(bytes.toFetch)}</strong> to fetch, ${size(bytes.here)} here already. Machines that pull meanwhile go first.`}</p>
    ${bytes.toFetch > budget && html`<p class="note">That is more than Granary may store in all (${size(budget)}).</p>`}
    ${pulls.map((/** @type {any} */ { upstream, remaining, limit }) => remaining !== undefined && html`<p class="quiet" key=${upstream}>${upstream} still allows ${remaining} of ${limit} pulls.</p>`)}
    <ul class="rows list" tabindex=${lines.length > 5 ? 0 : undefined} aria-label="Names">${lines.map((/** @type {Preview["lines"][number]} */ line) => html`<${Line} key=${line.reference} line=${line} />`)}</ul>
    ${leftOut > 0 && html`<p class="quiet">and ${leftOut} more</p>`}`;
}

/** @param {{ readonly line: Preview["lines"][number] }} props */
function Line({ line: { reference, outcome, reason, toFetch } }) {
  if (outcome === "failed")
    return html`<li><span class="name">${reference}</span><span class="wide-row bad">${reason}</span></li>`;
  return html`<li><span class="name">${reference}</span><span class="right quiet">${outcome === "here" ? "is here" : size(toFetch)}</span></li>`;
}

/** @param {any} result @param {string} title */
function endOf(result, title) {
  const failed = result?.lines?.find((/** @type {any} */ { outcome }) => outcome === "failed");
  if (failed !== undefined)
    return `${failed.reference} did not come in: ${failed.reason ?? "no reason is known"}`;
  return `${title} is here: ${size(result?.bytes?.brought ?? 0)} came in.`;
}
