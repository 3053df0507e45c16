/** Owns the cards of bundles: one file out for a place without a line, one file in, how far it is, and the commands for other sources. */
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { transfer } from "../../bundle/transfer.js";
import { exportBundle } from "../../changes/bundle-export.js";
import { ImportedNames, importBundle } from "../../changes/bundle-import.js";
import { percent, size } from "../../format.js";
import { Command } from "../../parts/command.js";
import { Field, Switch, submitted, typed } from "./field.js";
import { askAgain } from "./fresh.js";

export function ExportCard() {
  const [patterns, setPatterns] = useState("");
  const [platforms, setPlatforms] = useState("");
  const [attestations, setAttestations] = useState(false);
  const [fetch, setFetch] = useState(true);
  return html`<section class="card"><header><h2>Take something along</h2><span class="quiet">a bundle: one file, for a place without a line</span></header>
    <form class="stack tight" data-change onSubmit=${submitted(() => exportBundle({ patterns, platforms, attestations, fetch }))}>
      <${Field} label="Images and models"><textarea required rows="2" spellcheck=${false} placeholder="alpine:3.22 ollama:llama3.2" value=${patterns} onInput=${typed(setPatterns)}></textarea></${Field}>
      <${Field} label="Platforms"><input placeholder="those that are here; or linux/amd64, or all" value=${platforms} onInput=${typed(setPlatforms)} /></${Field}>
      <div class="bar"><${Switch} label="Fetch what is not here" checked=${fetch} set=${setFetch} /><${Switch} label="With attestations" checked=${attestations} set=${setAttestations} /><button class="push">Export</button></div>
    </form></section>`;
}

export function ImportCard() {
  const [file, setFile] = useState(/** @type {File | undefined} */ (undefined));
  const [as, setAs] = useState("");
  const [replace, setReplace] = useState(false);
  const choose = (/** @type {Event & { currentTarget: HTMLInputElement }} */ { currentTarget }) =>
    setFile(currentTarget.files?.[0]);
  const begin = () => file !== undefined && importBundle({ file, as: as.trim(), replace }, askAgain);
  return html`<section class="card"><header><h2>Bring a file in</h2><span class="quiet">served as if it had been pulled</span></header>
    <form class="stack tight" data-change onSubmit=${submitted(begin)}>
      <${Field} label="A bundle, or what docker save wrote (.tar)"><input type="file" required accept=".tar,application/x-tar" onChange=${choose} /></${Field}>
      <${Field} label="Its name here, where the file has one thing without a name"><input placeholder="as the file says" value=${as} onInput=${typed(setAs)} /></${Field}>
      <div class="bar"><${Switch} label="Move tags that stand for something else" checked=${replace} set=${setReplace} /><button class="push">Import</button></div>
    </form>
    <details class="more"><summary>From an Ollama store, a directory or a registry</summary><div class="stack tight more">
      <p class="quiet small">These are read where they lie, by a command on that machine:</p>
      ${SOURCES.map(([what, command]) => html`<div key=${what}><p class="small">${what}</p><${Command} text=${command} label=${`Copy the command for ${what}`} /></div>`)}</div></details>
  </section>`;
}

const SOURCES = /** @type {const} */ ([
  ["Models that Ollama has on this machine", "granary import ollama:~/.ollama/models"],
  ["A directory with an OCI image layout", "granary import oci:PATH"],
  ["What an older docker save wrote", "granary import docker-archive:FILE --as NAME"],
  ["A registry that is no upstream here", "granary import registry:registry.lab:5000/team/app:1"],
  ["The directory of another Granary that does not run", "granary import granary:DIRECTORY"],
]);

/** The bundle that goes or comes now, and what came of the last one. */
export function TransferCard() {
  const shown = transfer.value;
  if (shown === undefined) return null;
  const { title, state, done, total, said, report, stop } = shown;
  const part = total > 0 ? Math.min(100, (done / total) * 100) : 0;
  return html`<section class="card" aria-label="Transfer"><header><h2>${title}</h2><span class=${`small ${{ running: "note", done: "good", failed: "bad" }[state]}`}>${state}</span></header>
    ${
      state === "running" &&
      html`<div class="meter" role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.floor(part)} aria-label=${title}><i style=${{ width: `${part}%` }}></i></div>
      <div class="bar"><span class="small quiet">${size(done)} of ${size(total)} · ${percent(done, total)} · keep this page open</span><button class="plain fine push" type="button" onClick=${stop}>Stop</button></div>`
    }
    ${said !== undefined && html`<p class=${state === "failed" ? "bad" : ""} role="status">${said}</p>`}
    ${report !== undefined && html`<${ImportedNames} report=${report} />`}
  </section>`;
}
