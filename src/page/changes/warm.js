/** Owns the changes that bring images and models in: a list that somebody typed, and a warm-up of the settings now. Both are jobs. */
import { html } from "htm/preact";
import { post } from "../api.js";
import { counted, size } from "../format.js";
import { confirmChange } from "../parts/confirm.js";
import { commandLine, commandWithInput, wordsIn } from "../shell.js";

/** @typedef {Extract<import("zod").infer<typeof import("../../http/admin/routes/warm-routes.ts").warmAnswerSchema>, { preview: unknown }>["preview"]} Preview */

/** More than so many references are written as a list, not as words of the command. */
const MOST_WORDS = 4;

/** @typedef {{ readonly text: string, readonly platforms: string, readonly attestations: boolean }} Wanted */

/**
 * What is asked of the server, and the command line that asks the same.
 * @param {Wanted} wanted
 */
function warmAsk({ text, platforms, attestations }) {
  const chosen = wordsIn(platforms);
  const references = text.split(/\r?\n/).map((line) => line.trim());
  const isPlain = references.every((line) => !/\s|#/.test(line)) && references.length <= MOST_WORDS;
  const options = [...chosen.flatMap((one) => ["--platform", one]), attestations ? "--attestations" : ""];
  const command = isPlain
    ? commandLine("granary", "warm", ...references, ...options)
    : commandWithInput(commandLine("granary", "warm", "--file", "-", ...options), text);
  const choice = { ...(chosen.length > 0 && { platforms: chosen }), ...(attestations && { attestations }) };
  return { ask: { file: text, ...choice }, command };
}

/** @param {Wanted} wanted @param {() => void} after */
export function bringIn(wanted, after) {
  const { ask, command } = warmAsk(wanted);
  confirmWarm("Bring this in", ask, command, after);
}

/** @param {string} list @param {() => void} after */
export function runWarmUp(list, after) {
  confirmWarm(`Bring in ${list} now`, { list }, commandLine("granary", "warm", "--list", list), after);
}

/**
 * @param {string} title
 * @param {object} ask
 * @param {string} command
 * @param {() => void} after
 */
function confirmWarm(title, ask, command, after) {
  confirmChange({
    title,
    command,
    verb: "Bring it in",
    trial: () => post("/api/v1/warm", ask, { dryRun: true }),
    describe: ({ preview }) => html`<${Preview} preview=${preview} />`,
    isEmpty: ({ preview: { lines } }) =>
      lines.every((/** @type {any} */ { outcome }) => outcome === "failed"),
    act: () => post("/api/v1/warm", ask),
    done: ({ job }) => `It is coming in: job ${job.id}.`,
    after,
  });
}

/** @param {{ readonly preview: Preview }} props */
function Preview({ preview: { lines, leftOut, bytes, pulls, budget } }) {
  const failed = lines.filter((/** @type {any} */ { outcome }) => outcome === "failed").length;
  return html`<p><strong>${size(bytes.toFetch)}</strong> to fetch, ${size(bytes.here)} are here already. Clients that wait go first.</p>
    ${bytes.toFetch + bytes.here > budget && html`<p class="note">That is more than the ${size(budget)} that the cache may use: not all of it will fit.</p>`}
    ${failed > 0 && html`<p class="bad">${counted(failed, "line")} cannot be brought in; the others can.</p>`}
    ${pulls.map((/** @type {any} */ cost) => html`<${PullCost} key=${cost.upstream} cost=${cost} />`)}
    <ul class="rows list">${lines.map(
      (/** @type {any} */ line) => html`<li key=${line.reference}><span class="name">${line.reference}</span>
        <span class=${`right ${line.outcome === "failed" ? "bad" : "quiet"}`}>${line.outcome === "failed" ? "not possible" : line.outcome === "here" ? "is here" : size(line.toFetch)}</span>
        ${line.reason !== undefined && html`<span class="small wide-row ${line.outcome === "failed" ? "bad" : "quiet"}">${line.reason}</span>`}</li>`,
    )}</ul>
    ${leftOut > 0 && html`<p class="quiet">and ${counted(leftOut, "more line")}</p>`}`;
}

/** What telling this has cost where a registry counts pulls. @param {{ readonly cost: any }} props */
function PullCost({ cost: { upstream, manifests, limit, remaining } }) {
  if (limit === undefined && manifests === 0) return null;
  const told =
    manifests > 0 &&
    `To tell this, ${counted(manifests, "manifest")} of ${upstream} ${manifests === 1 ? "was" : "were"} fetched; they stay here. `;
  const budget =
    limit !== undefined &&
    `${upstream} counts each manifest that is fetched as a pull: ${remaining} of ${limit} are left.`;
  return html`<p class="quiet">${told}${budget}</p>`;
}
