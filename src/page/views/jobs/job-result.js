/** Owns how what came of a job is shown, by its kind: what a warm-up brought, what a check found, what became of the names of a bundle. */
import { html } from "htm/preact";
import { ImportedNames } from "../../changes/bundle-import.js";
import { counted, size } from "../../format.js";

/** @param {{ readonly job: any }} props */
export function JobResult({ job: { kind, result } }) {
  const Shown = RESULTS[kind];
  return result !== undefined && Shown !== undefined && html`<${Shown} result=${result} />`;
}

/** @param {{ readonly result: any }} props */
function Warmed({ result: { lines, leftOut, counts, bytes } }) {
  return html`<p>${counted(counts.brought, "name")} brought in with <strong>${size(bytes.brought)}</strong>, ${counts.here} here already${counts.failed > 0 && html`, <span class="bad">${counts.failed} failed</span>`}.</p>
    <ul class="rows list">${lines.map(
      (/** @type {any} */ line) => html`<li key=${line.reference}><span class="name">${line.reference}</span>
      <span class=${`right ${line.outcome === "failed" ? "bad" : "quiet"}`}>${line.outcome === "failed" ? "failed" : line.outcome === "here" ? "was here" : size(line.brought)}</span>
      ${line.reason !== undefined && html`<span class="small wide-row quiet">${line.reason}</span>`}</li>`,
    )}</ul>
    ${leftOut > 0 && html`<p class="quiet">and ${counted(leftOut, "more line")}</p>`}`;
}

/** @type {Readonly<Record<string, string>>} */
const FINDINGS = {
  "damaged-manifest": "damaged manifest",
  "damaged-blob": "damaged blob",
  "wrong-size": "blob with the wrong size",
  unreadable: "cannot be read",
  unregistered: "sound, and not known here",
  missing: "its file is gone",
  stranger: "a file that is not ours",
};

/** @param {{ readonly result: any }} props */
function Verified({ result: { blobs, bytes, manifests, findings, leftOut, fetched, isSound } }) {
  return html`<p class=${isSound ? "good" : "bad"}><strong>${isSound ? "All is sound." : `${counted(findings.length + leftOut, "thing")} wrong.`}</strong></p>
    <p class="quiet">${counted(blobs, "blob")} with ${size(bytes)} and ${counted(manifests, "manifest")} were read.${fetched > 0 && ` ${counted(fetched, "blob")} fetched again.`}</p>
    <ul class="rows list">${findings.map(
      (
        /** @type {any} */ { kind, what, isRepaired, reason },
      ) => html`<li key=${what}><code class="name">${what}</code>
      <span class=${`right ${isRepaired ? "good" : "bad"}`}>${isRepaired ? "repaired" : "not repaired"}</span><span class="small quiet wide-row">${FINDINGS[kind] ?? kind}${reason !== undefined && `: ${reason}`}</span></li>`,
    )}</ul>
    ${leftOut > 0 && html`<p class="quiet">and ${counted(leftOut, "more finding")}</p>`}`;
}

/** @param {{ readonly result: any }} props */
function Imported({ result }) {
  return html`<p><strong>${size(result.copied)}</strong> came in, ${size(result.present)} were here already.</p><${ImportedNames} report=${result} />`;
}

/** @param {{ readonly result: any }} props */
function Exported({ result: { names, size: all } }) {
  return html`<p><strong>${size(all)}</strong> in ${counted(names.length, "name")}.</p><ul class="rows list">${names.map((/** @type {any} */ { name, size: own }) => html`<li key=${name}><span class="name">${name}</span><span class="right quiet">${size(own)}</span></li>`)}</ul>`;
}

/** @param {{ readonly result: any }} props */
function Freed({ result: { freed, later = 0, kept = [] } }) {
  return html`<p><strong>${size(freed)}</strong> came free${later > 0 && `, ${size(later)} of it when what reads it now has ended`}.</p>
    ${kept.length > 0 && html`<p class="note">${counted(kept.length, "name")} stayed, held by keep rules.</p>`}`;
}

/** @type {Readonly<Record<string, (props: { readonly result: any }) => unknown>>} */
const RESULTS = {
  warm: Warmed,
  verify: Verified,
  import: Imported,
  export: Exported,
  remove: Freed,
  evict: Freed,
};
