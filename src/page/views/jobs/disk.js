/** Owns the card of the disk: what is stored is checked, or checked and repaired, and room is made by hand. */
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { verifyStored } from "../../changes/disk.js";
import { makeRoom } from "../../changes/evict.js";
import { size } from "../../format.js";
import { status } from "../../live.js";
import { Field, Switch, submitted, typed } from "./field.js";
import { askAgain } from "./fresh.js";

export function DiskCard() {
  const [pattern, setPattern] = useState("");
  const [repair, setRepair] = useState(false);
  const [amount, setAmount] = useState("1");
  const [unit, setUnit] = useState(/** @type {string} */ ("GB"));
  const disk = status.value?.disk;
  return html`<section class="card"><header><h2>The disk</h2><span class="quiet">${disk !== undefined && `${size(disk.used)} of ${size(disk.budget)} used`}</span></header>
    <form class="stack tight" data-change onSubmit=${submitted(() => verifyStored({ pattern: pattern.trim(), repair }, askAgain))}>
      <${Field} label="Is what is stored sound? Only what this stands for, or everything" ><input placeholder="everything" value=${pattern} onInput=${typed(setPattern)} /></${Field}>
      <div class="bar"><${Switch} label="Repair what is found" checked=${repair} set=${setRepair} /><button class="push">Check the disk</button></div></form>
    <form class="bar end more" data-change onSubmit=${submitted(() => makeRoom(`${amount}${unit}`, askAgain))}>
      <${Field} label="Free some room"><input class="amount" type="number" required min="0.001" step="any" value=${amount} onInput=${typed(setAmount)} /></${Field}>
      <${Field} label="Unit"><select value=${unit} onChange=${typed(setUnit)}>${["MB", "GB", "TB"].map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select></${Field}>
      <button class="push">Free it</button></form></section>`;
}
