/** Owns the form by which images and models are brought in now, and the lines of the settings that bring them in again and again. */
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { bringIn } from "../../changes/warm.js";
import { Command } from "../../parts/command.js";
import { wordsIn } from "../../shell.js";
import { Field, Switch, submitted, typed } from "./field.js";
import { askAgain } from "./fresh.js";
import { warmUpLines } from "./settings-lines.js";

export function BringIn() {
  const [text, setText] = useState("");
  const [platforms, setPlatforms] = useState("");
  const [attestations, setAttestations] = useState(false);
  return html`<section class="card"><header><h2>Bring something in</h2><span class="quiet">before somebody asks for it</span></header>
    <form class="stack tight" data-change onSubmit=${submitted(() => bringIn({ text, platforms, attestations }, askAgain))}>
      <${Field} label="Images and models, one a line" hint=${html`A tag may have a star in it: <code>alpine:3.*</code>. What follows a # is left out.`}>
        <textarea required rows="3" spellcheck=${false} placeholder=${"alpine:3.22\nollama:llama3.2"} value=${text} onInput=${typed(setText)}></textarea></${Field}>
      <${Field} label="Platforms"><input placeholder="all that an image has; or linux/amd64, linux/arm64" value=${platforms} onInput=${typed(setPlatforms)} /></${Field}>
      <div class="bar"><${Switch} label="Also what builders attest about images" checked=${attestations} set=${setAttestations} /><button class="main push">Bring in</button></div>
    </form>
    ${text.trim() !== "" && html`<${Schedule} text=${text} platforms=${wordsIn(platforms)} />`}
  </section>`;
}

const TIMES = /** @type {const} */ ([
  ["0 3 * * *", "every night at 03:00"],
  ["hourly", "every hour"],
  ["weekly", "once a week"],
  ["monthly", "once a month"],
  ["", "whenever one of its tags moves"],
]);

/** Warm-ups are made in the settings alone. @param {{ readonly text: string, readonly platforms: readonly string[] }} props */
function Schedule({ text, platforms }) {
  const [name, setName] = useState("base");
  const [schedule, setSchedule] = useState(/** @type {string} */ (TIMES[0][0]));
  const references = text.split(/\r?\n/).flatMap((line) => line.replace(/(^|\s)#.*$/, "").trim() || []);
  return html`<details class="more"><summary>Bring it in again and again</summary><div class="stack tight more">
    <p class="quiet small">Warm-ups stand in the settings of the server. Add these lines there, then read the settings again (under “Rules”).</p>
    <div class="bar"><${Field} label="Name of the list"><input size="12" value=${name} onInput=${typed(setName)} /></${Field}>
    <${Field} label="When"><select value=${schedule} onChange=${typed(setSchedule)}>${TIMES.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}</select></${Field}></div>
    <${Command} text=${warmUpLines({ name, references, platforms, schedule })} label="Copy the lines" />
  </div></details>`;
}
