/** Owns the short sentence after something was done, with a way back where there is one. */

import { signal } from "@preact/signals";
import { html } from "htm/preact";

/** @typedef {{ readonly text: string, readonly undo?: (() => Promise<unknown>) | undefined }} Toast */

const shown = signal(/** @type {Toast | undefined} */ (undefined));
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

const SHOWN_MS = 8_000;

/** @param {Toast} toast */
export function say(toast) {
  clearTimeout(timer);
  shown.value = toast;
  timer = setTimeout(() => {
    shown.value = undefined;
  }, SHOWN_MS);
}

export function Toasts() {
  const toast = shown.value;
  const undo = async () => {
    shown.value = undefined;
    try {
      await toast?.undo?.();
      say({ text: "Taken back." });
    } catch (error) {
      say({ text: error instanceof Error ? error.message : String(error) });
    }
  };
  return html`<div role="status" aria-live="polite">
    ${toast !== undefined && html`<div class="toast"><span>${toast.text}</span>${toast.undo && html`<button onClick=${undo}>Undo</button>`}</div>`}
  </div>`;
}
