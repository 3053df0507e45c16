/** Owns how a person stops a job: what that means for what it has done by then is said first. */
import { html } from "htm/preact";
import { post } from "../api.js";
import { counted, size } from "../format.js";
import { confirmChange } from "../parts/confirm.js";

/** @type {Readonly<Record<string, string>>} */
const MEANS = {
  warm: "What has come by now stays. The rest is not fetched.",
  verify: "What it has found by now is kept as its result.",
  export: "The file that it writes is not whole then, and of no use.",
  import: "Names that are here whole stay. What else has come is not copied again by the next import.",
  remove: "What is removed stays removed. The rest stays here.",
  evict: "What is gone stays gone. The rest stays here.",
};

/** @param {number} id @param {() => void} after */
export function stopJob(id, after) {
  confirmChange({
    title: `Stop job ${id}`,
    command: `granary jobs stop ${id}`,
    verb: "Stop it",
    trial: () => post(`/api/v1/jobs/${id}/stop`, undefined, { dryRun: true }),
    describe: ({ job: { kind, title, progress } }) => html`
      <p><strong>${title}</strong></p>
      <p>${progress.things.total > 0 && `${progress.things.done} of ${counted(progress.things.total, "thing")} done`}${progress.bytes.done > 0 && `, ${size(progress.bytes.done)} by now`}</p>
      <p class="quiet">${MEANS[kind] ?? "What it has done by now stays."}</p>`,
    act: () => post(`/api/v1/jobs/${id}/stop`),
    done: () => `Job ${id} stops.`,
    after,
  });
}
