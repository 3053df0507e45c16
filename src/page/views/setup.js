/** Owns the view that points a client here: its files with the address by which this page was reached, what to restart, and whether it works. */
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { get } from "../api.js";
import { clientKind, restartSteps, tryCommand } from "../clients.js";
import { status } from "../live.js";
import { useAsked, Waiting } from "../parts/asked.js";
import { Command } from "../parts/command.js";
import { FirstPull } from "../parts/first-pull.js";
import { addressAt, choicesOf, hostOf, listenerFor, notesOn, problemOf } from "../reached.js";
import { ask, route } from "../route.js";

/** @typedef {import("../reached.js").Listener} Listener */
/** @typedef {{ readonly files: readonly { readonly path: string, readonly text: string }[], readonly restart: readonly string[], readonly notes: readonly string[] }} Blocks */

export function Setup() {
  const offers = useAsked((signal) => get("/api/v1/setup", {}, signal), []);
  // A machine that was chosen for one client is meant for the next one too.
  const [host, setHost] = useState("");
  const { client: wanted = "docker" } = route.value.query;
  const clients = /** @type {readonly string[]} */ (offers.data?.clients ?? []);
  const client = clients.includes(wanted) ? wanted : "docker";
  return html`<section class="card stack setup"><header><h1 class="title">Set up a client</h1>
      <span class="quiet">It then pulls through Granary, without a change to the names of images.</span></header>
    <${Waiting} asked=${offers} />
    ${clients.length > 0 && html`<div class="client-kinds" role="group" aria-label="Client">${clients.map((each) => html`<button key=${each} type="button" aria-pressed=${each === client} onClick=${() => ask({ client: each })}>${clientKind(each).title}</button>`)}</div>`}
  </section>
  ${offers.data !== undefined && html`<${Client} key=${client} client=${client} listener=${listenerFor(offers.data.listeners, client)} host=${host} onHost=${setHost} />`}`;
}

/** @param {{ readonly client: string, readonly listener: Listener | undefined, readonly host: string, readonly onHost: (host: string) => void }} props */
function Client({ client, listener, host, onHost }) {
  const choices = listener === undefined ? [] : choicesOf(listener, location);
  const [first = { url: "" }] = choices;
  const [address, setAddress] = useState(
    listener === undefined || host === "" ? first.url : addressAt(listener, host),
  );
  const problem = unusable(client, listener);
  if (listener === undefined || problem !== undefined)
    return html`<section class="card"><p class="banner note"><span>${withCode(problem ?? "")}</span></p></section>`;
  /** @param {string} chosen */
  const use = (chosen) => {
    setAddress(chosen);
    onHost(hostOf(/:\/\//.test(chosen) ? chosen : `http://${chosen}`));
  };
  return html`<div class="setting-up">
    <${Steps} client=${client} address=${address}><${Address} listener=${listener} choices=${choices} address=${address} use=${use} /><//>
    <section class="card stack try"><header><h2>Does it work?</h2></header>
      <div class="stack small-gap"><p>Pull something on that machine:</p><${Command} text=${tryCommand(
        client,
        (status.value?.upstreams ?? []).map(({ name }) => name),
      )} label="Copy the pull" /></div>
      <${FirstPull} client=${client} />
      <${NothingComes} client=${client} address=${address} /></section></div>`;
}

/** Why no listener is for this client. @param {string} client @param {Listener | undefined} listener */
function unusable(client, listener) {
  const { title } = clientKind(client);
  if (listener === undefined) {
    const [upstream, port] = client === "ollama" ? ["registry.ollama.ai", 11_435] : ["docker.io", 5_000];
    return `Granary has no listener that ${title} can use. Add one under "listeners" in the settings ({ port: ${port}, upstream: ${upstream} }), and run \`granary reload\` there.`;
  }
  if (!listener.wantsLogin || (client !== "docker" && client !== "ollama")) return undefined;
  return `The listener at port ${listener.port} asks for a login, and ${title} has none to give to a mirror. Give Granary a second listener for ${listener.upstream} without a login.`;
}

/** @param {{ readonly client: string, readonly address: string, readonly children?: unknown }} props */
function Steps({ client, address, children }) {
  const [registry, setRegistry] = useState("");
  const blocks = useAsked(
    (signal) => get(`/api/v1/setup/${client}`, { address, registry }, signal),
    [client, address, registry],
  );
  return html`<ol class="card steps">
    <li><h2>Where Granary is</h2>${children}</li>
    ${hasRegistries(client) && html`<li><h2>For which images</h2><${Registries} chosen=${registry} onChoose=${setRegistry} /></li>`}
    <${Waiting} asked=${blocks} />
    ${blocks.data !== undefined && html`<${Files} client=${client} address=${address} registry=${registry} blocks=${blocks.data} />`}
  </ol>`;
}

/** @param {{ readonly listener: Listener, readonly choices: readonly import("../reached.js").Choice[], readonly address: string, readonly use: (address: string) => void }} props */
function Address({ listener, choices, address, use }) {
  const [typed, setTyped] = useState(address);
  const [problem, setProblem] = useState(/** @type {string | undefined} */ (undefined));
  /** @param {string} chosen */
  const choose = (chosen) => {
    const found = problemOf(chosen);
    setProblem(found);
    setTyped(chosen);
    if (found === undefined) use(chosen);
  };
  return html`${notesOn(listener, location).map((note) => html`<p class="note" key=${note}>${withCode(note)}</p>`)}
    <form class="bar" onSubmit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      choose(typed.trim());
    }}>
      <label class="address">Address of Granary, as that machine reaches it
        <input value=${typed} spellcheck="false" autocomplete="off" aria-invalid=${problem !== undefined} onInput=${(/** @type {Event & { currentTarget: HTMLInputElement }} */ { currentTarget }) => setTyped(currentTarget.value)} /></label>
      <button disabled=${typed.trim() === address}>Use it</button></form>
    ${problem !== undefined && html`<p class="bad" role="alert">${problem}</p>`}
    ${choices.length > 1 && html`<ul class="choices" aria-label="Addresses">${choices.map(({ url, whose }) => html`<li key=${url}><button type="button" aria-pressed=${url === address} onClick=${() => choose(url)}><code>${url}</code></button> <span class="quiet small">${whose}</span></li>`)}</ul>`}`;
}

/** Docker asks a mirror for Docker Hub alone, and Ollama for its own registry. @param {string} client */
function hasRegistries(client) {
  return client !== "docker" && client !== "ollama";
}

/** @param {{ readonly chosen: string, readonly onChoose: (registry: string) => void }} props */
function Registries({ chosen, onChoose }) {
  const names = (status.value?.upstreams ?? [])
    .map(({ name }) => name)
    .filter((name) => name !== "registry.ollama.ai");
  return html`<label class="address">Registries that this machine asks by way of Granary
    <select value=${chosen} onChange=${(/** @type {Event & { currentTarget: HTMLSelectElement }} */ { currentTarget }) => onChoose(currentTarget.value)}>
      <option value="">all that Granary knows</option>
      ${names.map((name) => html`<option key=${name} value=${name}>only ${name}</option>`)}</select></label>`;
}

/** @param {{ readonly client: string, readonly address: string, readonly registry: string, readonly blocks: Blocks }} props */
function Files({ client, address, registry, blocks: { files, restart, notes } }) {
  const authority = files.find(({ path }) => path.endsWith("ca.crt"));
  const command = `granary setup ${client} --server-address ${address}${authority === undefined ? "" : " --ca-file granary-ca.crt"}${registry === "" ? "" : ` --registry ${registry}`} --write`;
  const steps = restart.flatMap(restartSteps);
  return html`<li><h2>On that machine, ${files.length === 1 ? "this file" : `these ${files.length} files`}</h2>
      ${files.map((file) => html`<div class="stack small-gap" key=${file.path}><p><code class="name">${file.path}</code></p><${Command} text=${file.text.trimEnd()} label=${`Copy ${file.path}`} /></div>`)}
      <details><summary>A file is there already? Granary can write it</summary><div class="stack small-gap">
        <p>Where <code>granary</code> is installed on that machine, this puts the lines into what is there, keeps a copy of it, and can be taken back with <code>--undo</code>. It needs the rights to write there (<code>sudo</code>).${authority !== undefined && html` Save the certificate above as <code>granary-ca.crt</code> first.`}</p>
        <${Command} text=${command} label="Copy the command" /></div></details></li>
    ${steps.length > 0 && html`<li><h2>Then</h2>${steps.map(({ command: text, note }) => html`<div class="stack small-gap" key=${text ?? note}>${note !== undefined && html`<p>${withCode(sentence(note))}</p>`}${text !== undefined && html`<${Command} text=${text} label="Copy the command" />`}</div>`)}</li>`}
    ${notes.length > 0 && html`<li class="notes"><h2>Good to know</h2><ul>${notes.map((note) => html`<li key=${note}>${withCode(note)}</li>`)}</ul></li>`}`;
}

/** @param {{ readonly client: string, readonly address: string }} props */
function NothingComes({ client, address }) {
  return html`<details><summary>Nothing comes in?</summary><ul>
    <li>Was the client restarted, as the steps say?</li>
    <li>Does that machine reach this address? A firewall can be in the way. There, this answers with two braces:<${Command} text=${`curl ${address}/v2/`} label="Copy the command" /></li>
    <li>Where <code>granary</code> is installed there, this looks at all of it:<${Command} text=${`granary doctor --client ${client} --server-address ${address}`} label="Copy the command" /></li></ul></details>`;
}

/** @param {string} text */
function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** What stands between backticks is code. @param {string} text */
function withCode(text) {
  return text.split("`").map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part));
}
