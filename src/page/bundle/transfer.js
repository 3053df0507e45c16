/** Owns the bundle that this page brings or takes now, and how far it is: one at a time, also while another view is open. It decides nothing. */
import { signal } from "@preact/signals";

/**
 * @typedef {{
 *   readonly title: string,
 *   readonly state: "running" | "done" | "failed",
 *   readonly done: number,
 *   readonly total: number,
 *   readonly said?: string,
 *   readonly report?: any,
 *   readonly stop?: () => void,
 * }} Transfer Amounts are bytes; `total` may be a little more or less than what comes.
 */

export const transfer = signal(/** @type {Transfer | undefined} */ (undefined));

/**
 * Begins it and returns at once; what comes of it is shown. Throws with a sentence while another one runs.
 * @param {string} title
 * @param {number} total
 * @param {(controls: { readonly signal: AbortSignal, readonly came: (done: number) => void }) => Promise<{ readonly said: string, readonly report?: any }>} work
 */
export function beginTransfer(title, total, work) {
  if (transfer.value?.state === "running")
    throw new Error("Another bundle is on its way here: wait for it, or stop it.");
  const controller = new AbortController();
  const { signal: stopped } = controller;
  transfer.value = { title, state: "running", done: 0, total, stop: () => controller.abort() };
  const came = (/** @type {number} */ done) => {
    if (transfer.value?.state === "running") transfer.value = { ...transfer.value, done };
  };
  work({ signal: stopped, came }).then(
    ({ said, report }) => {
      transfer.value = { title, state: "done", done: total, total, said, report };
    },
    (/** @type {unknown} */ error) => {
      const why = error instanceof Error ? error.message : String(error);
      const said = stopped.aborted ? "You have stopped it." : why;
      transfer.value = { title, state: "failed", done: transfer.value?.done ?? 0, total, said };
    },
  );
}
