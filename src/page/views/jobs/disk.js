/** Owns the card of the disk: what is stored is checked, or checked and repaired, and room is made by hand. */
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { get } from "../../api.js";
import { verifyStored } from "../../changes/disk.js";
import { makeRoom } from "../../changes/evict.js";
import { size } from "../../format.js";
import { status } from "../../live.js";
import { Command } from "../../parts/command.js";
import { scheduleInWords } from "../../times.js";
import { Field, Switch, submitted, typed } from "./field.js";
import { askAgain, useFresh } from "./fresh.js";

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
    <${CheckTimes} />
    <form class="bar end more" data-change onSubmit=${submitted(() => makeRoom(`${amount}${unit}`, askAgain))}>
      <${Field} label="Free some room"><input class="amount" type="number" required min="0.001" step="any" value=${amount} onInput=${typed(setAmount)} /></${Field}>
      <${Field} label="Unit"><select value=${unit} onChange=${typed(setUnit)}>${["MB", "GB", "TB"].map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select></${Field}>
      <button class="push">Free it</button></form></section>`;
}

/** When all of it is checked without anybody saying so stands in the settings alone. */
function CheckTimes() {
  const asked = useFresh((signal) => get("/api/v1/settings", {}, signal), ["settings-reloaded"]);
  const schedule = asked.data?.settings?.verify;
  if (asked.data === undefined) return null;
  if (schedule !== undefined)
    return html`<p class="small more">It is checked by itself <strong>${scheduleInWords(schedule)}</strong> <span class="quiet">(time of the server)</span>.</p>`;
  return html`<details class="more"><summary>Have it checked by itself</summary><div class="stack tight more">
    <p class="quiet small">This stands in the settings: add this line there, then read the settings again (under “Rules”).</p>
    <${Command} text="verify: monthly" label="Copy the line" /></div></details>`;
}
