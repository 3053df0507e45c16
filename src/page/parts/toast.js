/** Owns the short sentence after something was done, with a way back where there is one. It stays as long as somebody is at it. */

import { signal } from "@preact/signals";
import { html } from "htm/preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "./icon.js";

/**
 * `undo` takes it back; it may resolve with the sentence that says so.
 * @typedef {{ readonly text: string, readonly undo?: (() => Promise<unknown>) | undefined, readonly undoLabel?: string | undefined }} Toast
 */

const shown = signal(/** @type {Toast | undefined} */ (undefined));

const SHOWN_MS = 8_000;
/** Who goes through the page by the Tab key needs longer to get there. */
const UNDO_MS = 30_000;

/** @param {Toast} toast */
export function say(toast) {
  shown.value = toast;
}

export function Toasts() {
  const toast = shown.value;
  return html`<div role="status" aria-live="polite">${toast !== undefined && html`<${Shown} key=${toast} toast=${toast} />`}</div>`;
}

/** @param {{ readonly toast: Toast }} props */
function Shown({ toast }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  /** Where the focus came from. */
  const origin = useRef(/** @type {EventTarget | null} */ (null));
  const close = () => {
    if (shown.value !== toast) return;
    if (place.current?.contains(document.activeElement) === true)
      (origin.current instanceof HTMLElement && origin.current.isConnected
        ? origin.current
        : document.querySelector("main")
      )?.focus();
    shown.value = undefined;
  };
  const undo = async () => {
    close();
    try {
      const told = await toast.undo?.();
      say({ text: typeof told === "string" ? told : "Taken back." });
    } catch (error) {
      say({ text: error instanceof Error ? error.message : String(error) });
    }
  };
  // At once: whoever sees the button may press the key already.
  useLayoutEffect(() => {
    const leaveAfter = toast.undo === undefined ? SHOWN_MS : UNDO_MS;
    let since = performance.now();
    const timer = setInterval(() => {
      if (place.current?.matches(":hover, :focus-within") === true) since = performance.now();
      if (performance.now() - since > leaveAfter) close();
    }, 500);
    /** @param {KeyboardEvent} event */
    const onKey = (event) => {
      const isWriting = document.activeElement?.matches("input, textarea, select") === true;
      const isUndo = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey;
      if (toast.undo === undefined || isWriting || !isUndo || document.querySelector("dialog[open]") !== null)
        return;
      event.preventDefault();
      void undo();
    };
    addEventListener("keydown", onKey);
    return () => {
      clearInterval(timer);
      removeEventListener("keydown", onKey);
    };
  }, []);
  /** @param {FocusEvent} event */
  const onFocusIn = ({ relatedTarget }) => {
    if (relatedTarget instanceof Node && place.current?.contains(relatedTarget) !== true)
      origin.current = relatedTarget;
  };
  return html`<div class="toast" ref=${place} onFocusIn=${onFocusIn}><span>${toast.text}</span>
    ${toast.undo && html`<button type="button" data-change onClick=${undo} aria-keyshortcuts="Control+Z" title="Ctrl+Z">${toast.undoLabel ?? "Undo"}</button>`}
    <button type="button" class="plain close" onClick=${close} title="Close"><${Icon} name="close" /><span class="hidden">Close this message</span></button></div>`;
}
