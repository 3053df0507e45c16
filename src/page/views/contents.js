/** Owns the view of what is stored: searched, sorted and paged by the server, by repository or by tag, each line with what can be done to it. */
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { get } from "../api.js";
import { evictNow, keepName, removeName } from "../changes.js";
import { ago, counted, nameOf, percent, size } from "../format.js";
import { status } from "../live.js";
import { useAsked, Waiting } from "../parts/asked.js";
import { Icon } from "../parts/icon.js";
import { ask, linkTo, route } from "../route.js";

const PAGE = 50;
const SORTS = /** @type {const} */ ([
  ["size", "largest first"],
  ["used", "last used first"],
  ["saved", "most saved first"],
  ["name", "by name"],
]);
/** A search waits until the fingers rest. */
const REST_MS = 250;

export function Contents() {
  const { search = "", sort = "size", by = "repository", upstream = "" } = route.value.query;
  const [pages, setPages] = useState(/** @type {readonly (string | undefined)[]} */ ([undefined]));
  useEffect(() => setPages([undefined]), [search, sort, by, upstream]);
  const after = pages.at(-1);
  const pattern = upstream === "" ? undefined : `${upstream}/**`;
  const asked = useAsked(
    (signal) =>
      get("/api/v1/contents", { search, sort, by, pattern, limit: PAGE, after }, signal).catch(nothing),
    [search, sort, by, pattern, after],
  );
  return html`<h1 class="hidden">Contents</h1>
    <section class="card stack">
      <form class="bar" role="search" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
        <${Search} value=${search} />
        <label><span class="hidden">Upstream</span><select value=${upstream} onChange=${chosen("upstream")}>
          <option value="">all upstreams</option>
          ${(status.value?.upstreams ?? []).map(({ name }) => html`<option key=${name}>${name}</option>`)}</select></label>
        <label><span class="hidden">Lines</span><select value=${by} onChange=${chosen("by")}>
          <option value="repository">by repository</option><option value="tag">by tag</option></select></label>
        <label><span class="hidden">Order</span><select value=${sort} onChange=${chosen("sort")}>
          ${SORTS.map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}</select></label>
        <button type="button" onClick=${() => evictNow(asked.again)}>Free some room</button>
      </form>
      <${Waiting} asked=${asked} />
      ${asked.data !== undefined && html`<${Items} answer=${asked.data} again=${asked.again} isSearch=${search !== "" || upstream !== ""} />`}
      ${
        asked.data !== undefined &&
        html`<nav class="bar" aria-label="Pages">
        <span class="quiet small">${counted(asked.data.count, "line")} in all</span>
        <button class="push" disabled=${pages.length === 1} onClick=${() => setPages(pages.slice(0, -1))}>Back</button>
        <button disabled=${asked.data.next === undefined} onClick=${() => setPages([...pages, asked.data.next])}>More</button>
      </nav>`
      }
    </section>`;
}

/** @param {Error & { code?: string }} error */
function nothing(error) {
  if (error.code !== "not-found") throw error;
  return { items: [], count: 0 };
}

/** @param {string} name */
function chosen(name) {
  return (/** @type {Event & { currentTarget: HTMLSelectElement }} */ { currentTarget }) =>
    ask({ [name]: currentTarget.value });
}

/** @param {{ readonly value: string }} props */
function Search({ value }) {
  const [text, setText] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => text !== value && ask({ search: text }), REST_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<label class="bar search"><span class="hidden">Search</span><${Icon} name="search" />
    <input type="search" placeholder="alpine, ghcr.io/org, llama3.2" value=${text}
      onInput=${(/** @type {Event & { currentTarget: HTMLInputElement }} */ { currentTarget }) => setText(currentTarget.value)} /></label>`;
}

/** @param {{ readonly answer: any, readonly again: () => void, readonly isSearch: boolean }} props */
function Items({ answer, again, isSearch }) {
  if (answer.items.length === 0)
    return html`<p class="empty">${isSearch ? "Nothing stored has such a name." : html`Nothing is stored yet. <a href=${linkTo("setup")}>Set up a client</a>`}</p>`;
  return html`<div class="scroll"><table>
    <thead><tr><th>Name</th><th class="number-cell">Size</th><th class="wide">Whole</th><th class="number-cell wide">Saved</th><th class="wide">Last used</th><th><span class="hidden">What to do</span></th></tr></thead>
    <tbody>${answer.items.map((/** @type {any} */ item) => html`<${Item} key=${keyOf(item)} item=${item} again=${again} />`)}</tbody>
  </table></div>`;
}

/** @param {any} item */
function keyOf({ upstream, repository, tag = "", digest = "" }) {
  return `${upstream}/${repository}:${tag}@${digest}`;
}

/** @param {{ readonly item: any, readonly again: () => void }} props */
function Item({ item, again }) {
  const name = nameOf(item);
  const reference =
    item.tag === undefined && item.digest !== undefined && item.tags === undefined
      ? `${name}@${item.digest}`
      : name;
  const now = status.value?.now ?? Date.now();
  const here = item.size + item.partial;
  return html`<tr>
    <td class="name"><a href=${linkTo("show", { reference })}>${reference}</a>
      ${item.tags !== undefined && html` <span class="tag">${counted(item.tags, "tag")}</span>`}
      ${item.keptBy !== undefined && html` <span class="tag" title=${`kept by ${item.keptBy}`}>kept</span>`}
      ${item.platforms?.map((/** @type {string} */ platform) => html` <span class="tag" key=${platform}>${platform}</span>`)}</td>
    <td class="number-cell">${size(here)}</td>
    <td class="wide quiet">${item.wanted > 0 && here < item.wanted ? `${percent(here, item.wanted)} of ${size(item.wanted)}` : "whole"}</td>
    <td class="number-cell wide">${item.saved !== undefined && item.saved > 0 && size(item.saved)}</td>
    <td class="wide quiet">${ago(item.usedAt, now)}${item.usedBy !== undefined && html` <span class="small">by ${item.usedBy}</span>`}</td>
    <td class="number-cell">
      ${item.keptBy === undefined && html`<button class="plain" title="Keep" onClick=${() => keepName(reference, again)}><${Icon} name="lock" /><span class="hidden">Keep ${reference}</span></button>`}
      <button class="plain" title="Remove" onClick=${() => removeName(reference, again)}><${Icon} name="remove" /><span class="hidden">Remove ${reference}</span></button></td>
  </tr>`;
}
