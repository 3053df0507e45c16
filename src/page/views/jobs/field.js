/** Owns a field of the forms of this view: its label above it, and a sentence below it where one helps. */
import { html } from "htm/preact";

/** @param {{ readonly label: string, readonly hint?: unknown, readonly grow?: boolean, readonly children?: unknown }} props */
export function Field({ label, hint, grow = false, children }) {
  return html`<label class=${grow ? "field grow" : "field"}><span class="small quiet">${label}</span>${children}${hint !== undefined && html`<span class="small quiet">${hint}</span>`}</label>`;
}

/** @param {{ readonly label: string, readonly checked: boolean, readonly set: (value: boolean) => void }} props */
export function Switch({ label, checked, set }) {
  const onChange = (/** @type {Event & { currentTarget: HTMLInputElement }} */ { currentTarget }) =>
    set(currentTarget.checked);
  return html`<label class="switch"><input type="checkbox" checked=${checked} onChange=${onChange} /><span>${label}</span></label>`;
}

/** For `onInput`: what was typed goes to `set`. @param {(text: string) => void} set */
export function typed(set) {
  return (/** @type {Event & { currentTarget: HTMLInputElement }} */ { currentTarget }) =>
    set(currentTarget.value);
}

/** For `onSubmit`. @param {() => void} act */
export function submitted(act) {
  return (/** @type {Event} */ event) => {
    event.preventDefault();
    act();
  };
}
