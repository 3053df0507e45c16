/** Owns what a person chooses of a change in its dialog: one of a few, or what is written. Each choice is another change with a dry run of its own. */
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";

/**
 * `options` are values with their texts; without them it is written, with `suggestions`.
 * @template Change
 * @typedef {{
 *   readonly label: string,
 *   readonly value: string,
 *   readonly options?: readonly (readonly [string, string])[],
 *   readonly suggestions?: readonly string[],
 *   readonly placeholder?: string,
 *   readonly hint?: string,
 *   readonly with: (value: string) => Change,
 * }} ChoiceOf
 */

/** A dry run waits until the fingers rest. */
const REST_MS = 400;

/**
 * `write` is called while another choice is being written.
 * @param {{ readonly choice: ChoiceOf<any>, readonly turnTo: (change: any) => void, readonly write: () => void }} props
 */
export function Choice({ choice, turnTo, write }) {
  const { label, value, options, hint } = choice;
  if (options === undefined) return html`<${Written} choice=${choice} turnTo=${turnTo} write=${write} />`;
  /** @param {Event & { currentTarget: HTMLSelectElement }} event */
  const onChange = ({ currentTarget }) => turnTo(choice.with(currentTarget.value));
  return html`<label class="choice"><span>${label}</span><select value=${value} onChange=${onChange}>
    ${options.map(([each, text]) => html`<option key=${each} value=${each}>${text}</option>`)}</select>${hint && html`<span class="quiet small">${hint}</span>`}</label>`;
}

/** @param {{ readonly choice: ChoiceOf<any>, readonly turnTo: (change: any) => void, readonly write: () => void }} props */
function Written({ choice, turnTo, write }) {
  const [text, setText] = useState(/** @type {string | undefined} */ (undefined));
  useEffect(() => {
    if (text === undefined) return undefined;
    const timer = setTimeout(() => turnTo(choice.with(text)), REST_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<label class="choice"><span>${choice.label}</span><input list="suggestions" placeholder=${choice.placeholder} value=${text ?? choice.value} autocomplete="off" spellcheck=${false}
      onInput=${(/** @type {Event & { currentTarget: HTMLInputElement }} */ { currentTarget }) => {
        write();
        setText(currentTarget.value);
      }} />
    ${choice.hint && html`<span class="quiet small">${choice.hint}</span>`}
    <datalist id="suggestions">${choice.suggestions?.map((each) => html`<option key=${each} value=${each} />`)}</datalist></label>`;
}
