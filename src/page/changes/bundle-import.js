/** Owns how a bundle of this machine comes in: the server says what it lacks of it, and only that is sent. */
import { html } from "htm/preact";
import { readIncoming, wholeOf } from "../bundle/incoming.js";
import { beginTransfer } from "../bundle/transfer.js";
import { counted, size } from "../format.js";
import { confirmChange } from "../parts/confirm.js";
import { commandLine } from "../shell.js";

const IMPORT = "/api/v1/bundles/import";

/** @param {{ readonly file: File, readonly as: string, readonly replace: boolean }} wanted @param {() => void} after */
export function importBundle({ file, as, replace }, after) {
  const query = { replace, as, from: file.name };
  /** @type {{ readonly incoming: import("../bundle/incoming.js").Incoming, readonly wanted: readonly string[], readonly bytes: number } | undefined} */
  let plan;
  confirmChange({
    title: `Import ${file.name}`,
    command: commandLine(
      "granary",
      "bundle",
      "import",
      file.name,
      as && "--as",
      as,
      replace ? "--replace" : "",
    ),
    verb: "Import",
    trial: async () => {
      const incoming = await readIncoming(file);
      const report = await send(incoming.head, { ...query, dryRun: true });
      plan = planOf(incoming, report);
      return { report, plan };
    },
    describe: (
      trial,
    ) => html`<p><strong>${size(trial.plan.bytes)}</strong> to send and to store, ${size(trial.report.present)} are here already. Every byte is checked.</p>
      <${ImportedNames} report=${trial.report} lacks=${trial.plan.lacks} />`,
    isEmpty: ({ report }) => report.names.every((/** @type {any} */ { outcome }) => outcome !== "imported"),
    act: async () => {
      if (plan === undefined) return;
      const { incoming, wanted, bytes } = plan;
      beginTransfer(`Import of ${file.name}`, bytes, async (controls) => {
        const report = await send(wholeOf(incoming, wanted), query, controls);
        after();
        return { said: `${size(report.copied)} came in, ${size(report.present)} were here already.`, report };
      });
    },
    done: () => `${file.name} is on its way.`,
  });
}

/**
 * What of the file is to be sent, and the names of which it lacks a part.
 * @param {import("../bundle/incoming.js").Incoming} incoming
 * @param {any} report
 */
function planOf(incoming, report) {
  const wanted = new Set();
  const lacks = new Set();
  let bytes = 0;
  for (const { name, outcome, missing } of report.names)
    for (const { digest } of outcome === "imported" ? missing : []) {
      const found = incoming.blobs.get(digest);
      if (found === undefined) lacks.add(name);
      else if (!wanted.has(digest)) bytes += found.size;
      if (found !== undefined) wanted.add(digest);
    }
  return { incoming, wanted: [...wanted], lacks, bytes };
}

/** @type {Readonly<Record<string, readonly [string, string]>>} */
const OUTCOMES = {
  imported: ["comes in", "good"],
  present: ["is here already", "quiet"],
  kept: ["is left as it is", "note"],
  damaged: ["is damaged", "bad"],
  incomplete: ["is not whole", "bad"],
  refused: ["cannot come in", "bad"],
};

/** @param {{ readonly report: any, readonly lacks?: ReadonlySet<string> }} props */
export function ImportedNames({ report, lacks = new Set() }) {
  return html`<ul class="rows list">${report.names
    .slice(0, 200)
    .map((/** @type {any} */ { name, outcome, reason, before }) => {
      const [word = outcome, mark = ""] = OUTCOMES[lacks.has(name) ? "incomplete" : outcome] ?? [];
      const isDone = outcome === "imported" && report.dryRun === undefined;
      const moved =
        outcome === "imported" && before !== undefined
          ? "Its tag stands for something else until now."
          : undefined;
      const why = lacks.has(name) ? "The file lacks a part of it." : (reason ?? moved);
      return html`<li key=${name}><span class="name">${name}</span><span class=${`right ${mark}`}>${isDone ? "is in" : word}</span>
      ${why !== undefined && html`<span class="small quiet wide-row">${why}</span>`}</li>`;
    })}</ul>${report.names.length > 200 && html`<p class="quiet">and ${counted(report.names.length - 200, "more name")}</p>`}`;
}

/**
 * By XMLHttpRequest: only that tells how much of a body has gone.
 * @param {Blob} body
 * @param {Readonly<Record<string, string | boolean>>} query
 * @param {{ readonly signal: AbortSignal, readonly came: (done: number) => void }} [controls]
 * @returns {Promise<any>}
 */
function send(body, query, controls) {
  const { promise, resolve, reject } = Promise.withResolvers();
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === "" ? [] : [[name, String(value)]],
  );
  const request = new XMLHttpRequest();
  request.open("POST", `${IMPORT}?${new URLSearchParams(given)}`);
  request.setRequestHeader("Content-Type", "application/x-tar");
  request.setRequestHeader("Prefer", "errors=200");
  request.responseType = "json";
  request.upload.addEventListener("progress", ({ loaded }) => controls?.came(loaded));
  request.addEventListener("load", () => {
    if (request.status === 200 && request.response?.error === undefined) resolve(request.response);
    else reject(new Error(request.response?.error?.message ?? `Granary answered ${request.status}.`));
  });
  request.addEventListener("error", () =>
    reject(
      new Error("The file could not be sent: Granary does not answer, or the file was changed meanwhile."),
    ),
  );
  request.addEventListener("abort", () => reject(new Error("You have stopped it.")));
  controls?.signal.addEventListener("abort", () => request.abort());
  request.send(body);
  return promise;
}
