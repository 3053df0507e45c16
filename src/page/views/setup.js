/** Owns the view that points a client here: its files with the address by which this page was reached, and a line that turns green when it works. */
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { get } from "../api.js";
import { ago, nameOf } from "../format.js";
import { events, status } from "../live.js";
import { useAsked, Waiting } from "../parts/asked.js";
import { Command } from "../parts/command.js";
import { Icon } from "../parts/icon.js";
import { ask, route } from "../route.js";

/** @type {Readonly<Record<string, string>>} */
const TITLES = {
  docker: "Docker",
  containerd: "containerd",
  podman: "Podman",
  k3s: "k3s",
  buildkit: "BuildKit",
  kind: "kind",
  ollama: "Ollama",
};

export function Setup() {
  const offers = useAsked((signal) => get("/api/v1/setup", {}, signal), []);
  const { client = "docker" } = route.value.query;
  return html`<section class="card stack"><header><h1 class="title">Point a client here</h1></header>
    <${Waiting} asked=${offers} />
    ${
      offers.data !== undefined &&
      html`<div class="bar" role="group" aria-label="Client">${offers.data.clients.map((/** @type {string} */ each) => html`<button key=${each} aria-pressed=${each === client} onClick=${() => ask({ client: each })}>${TITLES[each] ?? each}</button>`)}</div>
      <${Blocks} key=${client} client=${client} listeners=${offers.data.listeners} />`
    }
  </section>`;
}

/**
 * The listener of a client, by the name under which this page was reached: that one is known to work from here.
 * @param {readonly any[]} listeners
 * @param {string} client
 */
function addressFor(listeners, client) {
  const fits =
    listeners.find(
      ({ upstream }) =>
        (client === "ollama") === (upstream === "ollama" || upstream === "registry.ollama.ai"),
    ) ?? listeners[0];
  if (fits === undefined) return "";
  const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  const [first] = fits.urls;
  return isHere
    ? first
    : `${fits.certificate === undefined ? "http" : "https"}://${location.hostname}:${fits.port}`;
}

/** @param {{ readonly client: string, readonly listeners: readonly any[] }} props */
function Blocks({ client, listeners }) {
  const [address, setAddress] = useState(() => addressFor(listeners, client));
  const [asking, setAsking] = useState(address);
  const blocks = useAsked(
    (signal) => get(`/api/v1/setup/${client}`, { address: asking }, signal),
    [client, asking],
  );
  return html`<form class="bar" onSubmit=${(/** @type {Event} */ event) => {
    event.preventDefault();
    setAsking(address);
  }}>
      <label class="bar">As that machine reaches it <input value=${address} onInput=${(/** @type {Event & { currentTarget: HTMLInputElement }} */ { currentTarget }) => setAddress(currentTarget.value)} /></label>
      <button disabled=${address === asking}>Use it</button></form>
    <div class="stack"><p>On that machine, where <code>granary</code> is there:</p><${Command} text=${`granary setup ${client} --server-address ${asking} --write`} /></div>
    <${Waiting} asked=${blocks} />
    ${
      blocks.data !== undefined &&
      html`<p>Or by hand:</p>
      ${blocks.data.files.map((/** @type {any} */ file) => html`<div class="stack" key=${file.path}><p><code>${file.path}</code></p><${Command} text=${file.text.trimEnd()} label=${`Copy ${file.path}`} /></div>`)}
      ${blocks.data.restart.length > 0 && html`<div class="stack"><p>Then:</p><${Command} text=${blocks.data.restart.join("\n")} /></div>`}
      ${blocks.data.notes.length > 0 && html`<ul>${blocks.data.notes.map((/** @type {string} */ note) => html`<li key=${note}>${note}</li>`)}</ul>`}`
    }
    <${Arrival} client=${client} />`;
}

/** @param {{ readonly client: string }} props */
function Arrival({ client }) {
  const [since] = useState(() => status.value?.now ?? Date.now());
  const now = status.value?.now ?? since;
  const running = status.value?.pulls.find(({ begunAt }) => begunAt >= since);
  const ended = events.value.find(({ kind, at }) => kind.startsWith("pull-") && at >= since);
  if (running === undefined && ended === undefined)
    return html`<p class="banner quiet" role="status"><span class="dot"></span><span>Waiting for the first pull of ${TITLES[client] ?? client} … it shows here as it comes in.</span></p>`;
  const text =
    running === undefined
      ? (ended?.text ?? "")
      : `${nameOf(running)} is being pulled by ${running.client ?? "a client"} (${running.agent})`;
  return html`<p class="banner good" role="status"><${Icon} name="check" /><span>It works: ${text} ${ago(running?.begunAt ?? ended?.at, now)}</span></p>`;
}
