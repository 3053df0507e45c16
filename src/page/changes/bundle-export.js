/** Owns how what patterns stand for goes into one file of this machine: a bundle, which the browser puts where it puts downloads. */
import { html } from "htm/preact";
import { post } from "../api.js";
import { bytesOfFrames } from "../bundle/frames.js";
import { beginTransfer } from "../bundle/transfer.js";
import { size } from "../format.js";
import { confirmChange } from "../parts/confirm.js";
import { commandLine, wordsIn } from "../shell.js";

const EXPORT = "/api/v1/bundles/export";
const FILE_NAME = "granary-bundle.tar";
/** The browser keeps the file until it is whole: what is larger is better written by the command. */
const MUCH = 8e9;
/** Parts of the file that are handed over to the browser at once, which keeps them outside the page. */
const PART = 8 * 2 ** 20;

/** @param {{ readonly patterns: string, readonly platforms: string, readonly attestations: boolean, readonly fetch: boolean }} wanted */
export function exportBundle({ patterns, platforms, attestations, fetch: isFetching }) {
  const names = wordsIn(patterns);
  const chosen = wordsIn(platforms);
  const choice = chosen.length === 0 ? undefined : chosen[0] === "all" ? "all" : chosen;
  const ask = { patterns: names, attestations, fetch: isFetching, ...(choice && { platforms: choice }) };
  // A list of platforms that is not last would take the names for platforms.
  const options = [attestations ? "--attestations" : "", isFetching ? "" : "--no-fetch"];
  const ends = chosen.length === 0 ? [] : ["--platform", ...chosen];
  let total = 0;
  confirmChange({
    title: `Export ${names.join(", ")}`,
    command: commandLine("granary", "bundle", "export", FILE_NAME, ...names, ...options, ...ends),
    verb: "Export",
    trial: async () => {
      const report = await post(EXPORT, ask, { dryRun: true });
      total = report.size;
      return report;
    },
    describe: (report) => html`
      <p>A file of <strong>${size(report.size)}</strong>${report.toFetch > 0 ? html`, of which ${size(report.toFetch)} are not here and are fetched first` : ""}.</p>
      ${report.size > MUCH && html`<p class="note">That is much for a browser: the command writes it to its place directly.</p>`}
      <ul class="rows list">${report.names.map(
        (
          /** @type {any} */ each,
        ) => html`<li key=${each.name}><span class="name">${each.name}</span><span class="right quiet">${size(each.size)}</span>
        <span class="small quiet wide-row">${[each.platforms.join(", "), each.attachedTo && `belongs to ${each.attachedTo}`].filter(Boolean).join(" · ")}</span></li>`,
      )}</ul>`,
    act: async () => {
      beginTransfer(`Export of ${names.join(", ")}`, total, (controls) => download(ask, controls));
    },
    done: () => "The bundle is on its way.",
  });
}

/**
 * @param {object} ask
 * @param {{ readonly signal: AbortSignal, readonly came: (done: number) => void }} controls
 */
async function download(ask, { signal, came }) {
  const answer = await fetch(`${EXPORT}?framed=true`, {
    method: "POST",
    body: JSON.stringify(ask),
    headers: { "Content-Type": "application/json", Prefer: "errors=200" },
    signal,
  });
  const isBundle = answer.headers.get("Content-Type") === "application/octet-stream";
  if (!isBundle || answer.body === null) throw new Error(await sentenceOf(answer));
  /** @type {Blob[]} */
  const whole = [];
  /** @type {Uint8Array<ArrayBuffer>[]} */
  let parts = [];
  let [held, done] = [0, 0];
  for await (const part of bytesOfFrames(answer.body)) {
    parts.push(part);
    held += part.length;
    done += part.length;
    came(done);
    if (held < PART) continue;
    whole.push(new Blob(parts));
    [parts, held] = [[], 0];
  }
  save(new Blob([...whole, ...parts], { type: "application/x-tar" }));
  return {
    said: `${FILE_NAME} is here, with ${size(done)}. Your browser has put it where it puts downloads.`,
  };
}

/** @param {Blob} blob */
function save(blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = FILE_NAME;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** @param {Response} answer */
async function sentenceOf(answer) {
  const body = await answer.json().catch(() => undefined);
  return body?.error?.message ?? `Granary answered ${answer.status}.`;
}
