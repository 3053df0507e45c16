/** Owns a command line, or the text of a file, that can be copied. */
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { Icon } from "./icon.js";

/**
 * The clipboard of the browser is only for pages over https or on loopback; elsewhere the old way by a selection is left.
 * @param {string} text
 */
async function copy(text) {
  if (navigator.clipboard !== undefined) return await navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (!isCopied) throw new Error("not copied");
}

/** @param {{ readonly text: string, readonly label?: string }} props */
export function Command({ text, label = "Copy" }) {
  return html`<div class="command"><pre tabindex="0">${text}</pre><${CopyButton} text=${text} label=${label} /></div>`;
}

/** @param {{ readonly text: string, readonly label: string }} props */
export function CopyButton({ text, label }) {
  const [state, setState] = useState("");
  const onClick = () => {
    copy(text).then(
      () => setState("Copied"),
      () => setState("Select it by hand"),
    );
    setTimeout(() => setState(""), 2_500);
  };
  return html`<button class="plain" type="button" onClick=${onClick} title=${label}>
      <${Icon} name=${state === "Copied" ? "check" : "copy"} /><span aria-live="polite">${state}</span>
      <span class="hidden">${label}: ${text.slice(0, 80)}</span>
    </button>`;
}
