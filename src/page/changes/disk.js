/** Owns the check of what is stored: with the disk as it is, or with a repair. */
import { html } from "htm/preact";
import { get, post } from "../api.js";
import { ago, counted, size } from "../format.js";
import { confirmChange } from "../parts/confirm.js";
import { commandLine } from "../shell.js";

/** @param {{ readonly pattern: string, readonly repair: boolean }} wanted @param {() => void} after */
export function verifyStored({ pattern, repair }, after) {
  const what = pattern === "" ? "everything that is stored" : pattern;
  confirmChange({
    title: repair ? `Check and repair ${what}` : `Check ${what}`,
    command: commandLine("granary", "verify", pattern, repair ? "--repair" : ""),
    verb: repair ? "Check and repair" : "Check",
    trial: async () => {
      const [status, checks] = await Promise.all([
        get("/api/v1/status"),
        get("/api/v1/jobs", { search: "verify", limit: 1, state: "done" }),
      ]);
      const id = checks.items[0]?.id;
      return { status, last: id === undefined ? undefined : await get(`/api/v1/jobs/${id}`) };
    },
    describe: ({ status, last }) => html`
      <p>${pattern === "" ? html`<strong>${size(status.disk.used)}</strong> in ${counted(status.blobs, "blob")} are` : html`What <strong>${pattern}</strong> stands for is`} read from the disk and compared with its digests. Clients go first.</p>
      <p>${repair ? "What is damaged is set aside and fetched again, what is gone is forgotten, and what is sound and unknown is taken in." : "Nothing is changed: it only tells what it finds."}</p>
      ${last?.result !== undefined && html`<p class="quiet">The last check (job ${last.id}, ${ago(last.endedAt, status.now)}) ${last.result.isSound ? "found nothing wrong." : `found ${counted(last.result.findings.length + last.result.leftOut, "thing")} wrong.`}</p>`}
      ${repair && last === undefined && html`<p class="quiet">To see first what a repair would mend, check without repair.</p>`}`,
    act: () => post("/api/v1/verify", undefined, { repair, pattern }),
    done: ({ job }) => `The check has begun: job ${job.id}.`,
    after,
  });
}
