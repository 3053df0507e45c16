/**
 * Owns the way by which the page changes something: the dry run is shown first, with the command line that does the same; only then is it done,
 * and what can be taken back offers that.
 */

import { signal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useAsked, Waiting } from "./asked.js";
import { Command } from "./command.js";
import { say } from "./toast.js";

/**
 * @typedef {{
 *   readonly title: string,
 *   readonly command: string,
 *   readonly verb: string,
 *   readonly trial: () => Promise<any>,
 *   readonly describe: (trial: any) => unknown,
 *   readonly act: () => Promise<any>,
 *   readonly done: (answer: any) => string,
 *   readonly undo?: () => Promise<unknown>,
 *   readonly after?: () => void,
 * }} Change
 */

const open = signal(/** @type {Change | undefined} */ (undefined));

/** @param {Change} change */
export function confirmChange(change) {
  open.value = change;
}

export function Confirm() {
  const change = open.value;
  return change !== undefined && html`<${ConfirmDialog} key=${change.title} change=${change} />`;
}

/** @param {{ readonly change: Change }} props */
function ConfirmDialog({ change }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const trial = useAsked(() => change.trial(), []);
  const [error, setError] = useState("");
  const [isActing, setActing] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);
  const close = () => {
    open.value = undefined;
  };
  /** @param {Event} event */
  const act = async (event) => {
    event.preventDefault();
    setActing(true);
    try {
      const answer = await change.act();
      say({ text: change.done(answer), undo: change.undo });
      change.after?.();
      close();
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
      setActing(false);
    }
  };
  return html`<dialog ref=${dialog} onClose=${close} aria-labelledby="confirm-title">
    <form onSubmit=${act}>
      <h2 id="confirm-title">${change.title}</h2>
      <div class="stack">${trial.data === undefined ? html`<${Waiting} asked=${trial} />` : change.describe(trial.data)}</div>
      ${error !== "" && html`<p class="bad" role="alert">${error}</p>`}
      <div class="stack"><p class="quiet small">The same by a command:</p><${Command} text=${change.command} /></div>
      <div class="bar">
        <button class="push" type="button" onClick=${close}>Cancel</button>
        <button class="main" type="submit" disabled=${trial.data === undefined || isActing}>${change.verb}</button>
      </div>
    </form>
  </dialog>`;
}
