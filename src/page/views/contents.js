/** Owns the view of what is stored: searched, sorted and paged by the server, by repository or by tag, each line with what can be done to it. */
import { html } from "htm/preact";
import { get } from "../api.js";
import { makeRoom } from "../changes/evict.js";
import { removeUnused } from "../changes/remove.js";
import { useAsked, Waiting } from "../parts/asked.js";
import { Icon } from "../parts/icon.js";
import { useNews } from "../parts/news.js";
import { linkTo } from "../route.js";
import { addressWith, asking, PAGE } from "./contents/address.js";
import { Filters } from "./contents/filters.js";
import { Lines } from "./contents/lines.js";
import { Pages } from "./contents/pages.js";

/** What is asked for again after something happened, and at most so often. */
const PACE_MS = 4_000;

const NOUNS = /** @type {const} */ ({ repository: ["repository", "repositories"], tag: ["tag", "tags"] });

export function Contents() {
  const { search, sort, by, upstream, isReversed, after } = asking();
  const asked = useAsked(
    (signal) =>
      get(
        "/api/v1/contents",
        { search, sort, by, upstream, reverse: isReversed || undefined, limit: PAGE, after },
        signal,
      ),
    [search, sort, by, upstream, isReversed, after, useNews(PACE_MS)],
  );
  const { data, again } = asked;
  const isFiltered = search !== "" || upstream !== "";
  return html`<section class="card stack">
      <div class="bar"><h1 class="title">Contents</h1><div class="bar push">
        <button type="button" data-change onClick=${() => removeUnused(scope(upstream, again))}><${Icon} name="broom" />Clean up</button>
        <button type="button" data-change onClick=${() => makeRoom("1GiB", again)}>Make room</button></div></div>
      <${Filters} />
      <${Waiting} asked=${asked} />
      ${data?.items.length === 0 && html`<${Nothing} isFiltered=${isFiltered} search=${search} count=${data.count} />`}
      ${data !== undefined && data.items.length > 0 && html`<${Lines} items=${data.items} again=${again} />`}
      ${data !== undefined && html`<${Pages} answer=${data} noun=${NOUNS[/** @type {"tag" | "repository"} */ (by)]} />`}
    </section>`;
}

/** What "Clean up" speaks of. @param {string} upstream @param {() => void} after */
function scope(upstream, after) {
  return upstream === ""
    ? { pattern: "**", title: "all that is stored", after }
    : { pattern: `${upstream}/**`, title: `what came from ${upstream}`, after };
}

/** @param {{ readonly isFiltered: boolean, readonly search: string, readonly count: number }} props */
function Nothing({ isFiltered, search, count }) {
  if (count > 0)
    return html`<p class="empty">There is nothing on this page any more. <a href=${addressWith({})}>To the first page</a></p>`;
  if (!isFiltered)
    return html`<div class="empty stack"><p>Nothing is stored yet. What a machine pulls through Granary is listed here.</p><p><a class="button main" href=${linkTo("setup")}>Set up a client</a></p></div>`;
  return html`<p class="empty">${search === "" ? "Nothing is stored of this upstream." : `No name that is stored here contains “${search}”.`} <a href=${addressWith({ search: undefined, upstream: undefined })}>Show everything</a></p>`;
}
