/**
 * Owns the way by which the page changes something: the dry run is shown first, with the command line that does the same; only then is it done,
 * once, and what can be taken back offers that. What is refused is said here, and nothing else changes.
 */

import { signal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { connection } from "../live.js";
import { Choice } from "./choice.js";
import { Command } from "./command.js";
import { goRound, rememberFocus } from "./focus.js";
import { FollowedJob } from "./followed-job.js";
import { say } from "./toast.js";
import { useTrial } from "./trial.js";

/**
 * A change that a person makes.
 * - `trial` asks for its dry run, which `describe` shows; `isEmpty` says of one that nothing would happen, and then nothing can be done.
 * - `act` does it; `done` is the sentence about its answer.
 * - `undo` takes it back; with `undoOf` the way back depends on the answer.
 * - `ended`: where the answer has a `job`, it is followed in the dialog, and this is the sentence about its end.
 * - `otherwise`: another change that is offered where this one is refused.
 * - `choice`: what can be chosen of it; each choice is another change.
 * - `after`: what is shown has to be asked for again.
 * @typedef {{
 *   readonly title: string,
 *   readonly command: string,
 *   readonly verb: string,
 *   readonly isGrave?: boolean,
 *   readonly trial: () => Promise<any>,
 *   readonly describe: (trial: any) => unknown,
 *   readonly isEmpty?: (trial: any) => boolean,
 *   readonly act: () => Promise<any>,
 *   readonly done: (answer: any) => string,
 *   readonly undo?: () => Promise<unknown>,
 *   readonly undoOf?: (answer: any) => { readonly label: string, readonly act: () => Promise<unknown> } | undefined,
 *   readonly ended?: (job: any) => string,
 *   readonly otherwise?: (error: Error & { readonly code?: string }) => { readonly verb: string, readonly change: Change } | undefined,
 *   readonly choice?: import("./choice.js").ChoiceOf<Change>,
 *   readonly after?: () => void,
 * }} Change
 */

const open = signal(
  /** @type {{ readonly change: Change, readonly back: () => void } | undefined} */ (undefined),
);

/** @param {Change} change */
export function confirmChange(change) {
  open.value = { change, back: rememberFocus() };
}

export function Confirm() {
  const opened = open.value;
  return (
    opened !== undefined &&
    html`<${ConfirmDialog} key=${opened} first=${opened.change} back=${opened.back} />`
  );
}

/** @param {{ readonly first: Change, readonly back: () => void }} props */
function ConfirmDialog({ first, back }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const title = useRef(/** @type {HTMLElement | null} */ (null));
  const [change, setChange] = useState(first);
  const [doing, setDoing] = useState(/** @type {{ isActing?: boolean, error?: Error, job?: any }} */ ({}));
  const isBusy = useRef(false);
  /** Something else is being written: what is shown is not what would be done. */
  const [isWriting, setWriting] = useState(false);
  const trial = useTrial(change);
  const isReady = !isWriting && trial.data !== undefined && change.isEmpty?.(trial.data) !== true;
  useEffect(() => {
    dialog.current?.showModal();
    title.current?.focus();
  }, []);
  const close = () => {
    if (open.value?.change !== first) return;
    dialog.current?.close();
    open.value = undefined;
    back();
  };
  /** @param {Change} next */
  const turnTo = (next) => {
    setDoing({});
    setWriting(false);
    setChange(next);
  };
  /** @param {string} text @param {any} [answer] */
  const finish = (text, answer) => {
    const simple = change.undo && { label: "Undo", act: change.undo };
    const way = answer === undefined ? undefined : (change.undoOf?.(answer) ?? simple);
    close();
    say({ text, undo: way?.act, undoLabel: way?.label });
    change.after?.();
  };
  const act = async () => {
    // A second click or key comes before the button is drawn as disabled.
    if (!isReady || isBusy.current) return;
    isBusy.current = true;
    setDoing({ isActing: true });
    try {
      const answer = await change.act();
      if (change.ended === undefined || answer?.job === undefined) {
        finish(change.done(answer), answer);
        return;
      }
      setDoing({ job: answer.job });
      change.after?.();
    } catch (failure) {
      setDoing({ error: failure instanceof Error ? failure : new Error(String(failure)) });
      change.after?.();
    }
    isBusy.current = false;
  };
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (dialog.current !== null) goRound(event, dialog.current);
    const isAtControl = event.target instanceof Element && event.target.matches("button, a, summary, select");
    if (event.key !== "Enter" || isAtControl) return;
    event.preventDefault();
    // The key that opened the dialog may still be down.
    if (!event.repeat && doing.job === undefined) void act();
  };
  return html`<dialog ref=${dialog} onClose=${close} onKeyDown=${onKeyDown} aria-labelledby="confirm-title">
    <form class="stack change" onSubmit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      void act();
    }}>
      <h2 id="confirm-title" class="name" tabindex="-1" ref=${title}>${change.title}</h2>
      ${
        doing.job === undefined
          ? html`<${Tried} change=${change} trial=${trial} doing=${doing} isReady=${isReady} turnTo=${turnTo} write=${() => setWriting(true)} close=${close} />`
          : html`<${FollowedJob} job=${doing.job} ended=${change.ended} finish=${finish} after=${change.after} close=${close} />`
      }
    </form>
  </dialog>`;
}

/**
 * @param {{ readonly change: Change, readonly trial: import("./trial.js").Trial, readonly doing: { isActing?: boolean, error?: Error },
 *   readonly isReady: boolean, readonly turnTo: (change: Change) => void, readonly write: () => void, readonly close: () => void }} props
 */
function Tried({ change, trial, doing: { isActing = false, error }, isReady, turnTo, write, close }) {
  const failure = error ?? trial.error;
  const other = failure && change.otherwise?.(failure);
  return html`${change.choice && html`<${Choice} choice=${change.choice} turnTo=${turnTo} write=${write} />`}
    <div class="stack">${trial.error === undefined && html`<${DryRun} trial=${trial} />`}</div>
    ${failure !== undefined && html`<p class="banner bad" role="alert"><span>${failure.message}</span></p>`}
    ${other !== undefined && html`<p><button type="button" class="grave" onClick=${() => turnTo(other.change)}>${other.verb} …</button></p>`}
    <div class="stack"><p class="quiet small">The same by a command, on the machine of this Granary:</p><${Command} text=${change.command} /></div>
    <div class="bar ends">
      <button class="push" type="button" onClick=${close}>${isActing ? "Close" : "Cancel"}</button>
      ${trial.error !== undefined && other === undefined && html`<button type="button" onClick=${trial.again}>Try again</button>`}
      <button class=${change.isGrave ? "main grave" : "main"} type="submit" data-change disabled=${!isReady || isActing} aria-busy=${isActing}>${change.verb}</button>
    </div>`;
}

/** @param {{ readonly trial: import("./trial.js").Trial }} props */
function DryRun({ trial }) {
  if (connection.value === "lost")
    return html`<p class="note" role="status">Granary does not answer. Nothing was changed; this goes on when it is back.</p>`;
  if (trial.shown === undefined)
    return html`<p class="quiet" role="status" aria-busy="true">Looking what that would do …</p>`;
  return html`<div class="stack" aria-busy=${trial.data === undefined}>${trial.shown}</div>`;
}
