/** Owns how a person has something kept, and takes that back. */
import { html } from "htm/preact";
import { post, remove } from "../api.js";
import { counted, size } from "../format.js";
import { confirmChange } from "../parts/confirm.js";
import { commandLine } from "../shell.js";

/** @typedef {import("zod").infer<typeof import("../../http/admin/routes/keep-routes.ts").keepChangeSchema>} KeepChange */

const PATH = "/api/v1/keep";

/** @param {KeepChange} trial */
function amount({ names, size: here, partial, wanted }) {
  const present = here + partial;
  return `${counted(names, "name")} with ${size(present)}${wanted > present ? ` here, of ${size(wanted)}` : ""}`;
}

/** @param {string} pattern @param {() => void} [after] @param {string} [title] as people write it */
export function keepName(pattern, after, title = pattern) {
  confirmChange({
    title: `Keep ${title}`,
    command: commandLine("granary", "keep", pattern),
    verb: "Keep",
    trial: () => post(PATH, { pattern }, { dryRun: true }),
    describe: (
      trial,
    ) => html`<p>It is never evicted to make room, and neither is what is pulled by this name later.</p>
      <p class="quiet">${trial.names === 0 ? "Nothing that is here has such a name yet." : `It stands for ${amount(trial)} now.`}</p>`,
    act: () => post(PATH, { pattern }),
    done: () => `${title} is kept.`,
    undo: () => remove(PATH, { pattern }).then(after),
    ...(after && { after }),
  });
}

/** @param {string} pattern of the rule @param {() => void} [after] */
export function unkeepName(pattern, after) {
  confirmChange({
    title: `Do not keep ${pattern} any more`,
    command: commandLine("granary", "unkeep", pattern),
    verb: "Take the rule back",
    trial: () => remove(PATH, { pattern, dryRun: true }),
    describe: (trial) =>
      html`<p>${trial.names === 0 ? "Nothing that is here has such a name." : `${amount(trial)} may be evicted again, when nobody used it for long and room is needed.`} Nothing is removed now.</p>`,
    act: () => remove(PATH, { pattern }),
    done: () => `${pattern} may be evicted again.`,
    undo: () => post(PATH, { pattern }).then(after),
    ...(after && { after }),
  });
}
