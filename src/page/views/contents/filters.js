/** Owns what stands above the list of contents: the search, the upstream, what a line is, and on small screens the order. */
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { status } from "../../live.js";
import { Icon } from "../../parts/icon.js";
import { ask } from "../../route.js";
import { asking, goTo } from "./address.js";

const SORTS = /** @type {const} */ ([
  ["size", "largest first"],
  ["used", "last used first"],
  ["saved", "most saved first"],
  ["name", "by name"],
]);
/** A search waits until the fingers rest. */
const REST_MS = 250;

export function Filters() {
  const { search, upstream, by, sort } = asking();
  const known = (status.value?.upstreams ?? []).map(({ name }) => name);
  const upstreams = upstream === "" || known.includes(upstream) ? known : [...known, upstream];
  return html`<form class="bar filters" role="search" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <${Search} value=${search} />
    <label><span class="hidden">Upstream</span><select value=${upstream} onChange=${chosen("upstream")}>
      <option value="">all upstreams</option>
      ${upstreams.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>
    <label><span class="hidden">Lines</span><select value=${by} onChange=${chosen("by")}>
      <option value="repository">by repository</option><option value="tag">by tag</option></select></label>
    <label class="narrow"><span class="hidden">Order</span><select value=${sort} onChange=${chosen("sort")}>
      ${SORTS.map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}</select></label>
  </form>`;
}

/** @param {string} name */
function chosen(name) {
  return (/** @type {Event & { currentTarget: HTMLSelectElement }} */ { currentTarget }) =>
    goTo({ [name]: currentTarget.value, ...(name === "sort" && { reverse: undefined }) });
}

/** @param {{ readonly value: string }} props */
function Search({ value }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    // Each letter is no step for "back".
    const timer = setTimeout(() => text !== value && ask({ search: text, after: undefined }), REST_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<label class="bar search"><span class="hidden">Search</span><${Icon} name="search" />
    <input type="search" placeholder="alpine, ghcr.io/org, llama3.2" maxlength="512" spellcheck=${false} value=${text}
      onInput=${(/** @type {Event & { currentTarget: HTMLInputElement }} */ { currentTarget }) => setText(currentTarget.value)} /></label>`;
}
