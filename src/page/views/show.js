/** Owns the view of one repository or tag: its tags, platforms and layers, which part of each is here, and who pulled it. */
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { get } from "../api.js";
import { keepName, refreshName, removeName, unkeepName, warmNow } from "../changes.js";
import { ago, counted, nameOf, percent, shortDigest, size } from "../format.js";
import { status } from "../live.js";
import { useAsked, Waiting } from "../parts/asked.js";
import { Icon } from "../parts/icon.js";
import { linkTo, route } from "../route.js";

export function Show() {
  const { reference = "" } = route.value.query;
  const asked = useAsked((signal) => get("/api/v1/contents/show", { reference }, signal), [reference]);
  return html`<p><a class="button" href=${linkTo("contents")}><${Icon} name="back" />Contents</a></p>
    <${Waiting} asked=${asked} />
    ${asked.data !== undefined && html`<${Shown} reference=${reference} shown=${asked.data} again=${asked.again} />`}`;
}

/** @param {{ readonly reference: string, readonly shown: any, readonly again: () => void }} props */
function Shown({ reference, shown, again }) {
  const now = status.value?.now ?? Date.now();
  const { names, pulls, size: here, partial, wanted, usedAt, saved, more } = shown;
  const [platforms, setPlatforms] = useState("");
  return html`<section class="card stack">
      <div class="bar"><h1 class="name title">${reference}</h1>
        <button class="push" onClick=${() => refreshName(reference, again)}><${Icon} name="refresh" />Ask again</button>
        <button onClick=${() => keepName(reference, again)}><${Icon} name="lock" />Keep</button>
        <button onClick=${() => removeName(reference, () => location.assign(linkTo("contents")))}><${Icon} name="remove" />Remove</button></div>
      <p class="quiet">${size(here + partial)} here${wanted > here + partial ? ` of ${size(wanted)}, ${percent(here + partial, wanted)}` : ""}
        ${usedAt !== undefined && ` · used ${ago(usedAt, now)}`}${saved > 0 && ` · ${size(saved)} saved`}</p>
      <form class="bar" onSubmit=${(/** @type {Event} */ event) => {
        event.preventDefault();
        warmNow(reference, platforms, again);
      }}>
        <label>Bring in all of it for <input placeholder="linux/amd64, linux/arm64" value=${platforms}
          onInput=${(/** @type {Event & { currentTarget: HTMLInputElement }} */ { currentTarget }) => setPlatforms(currentTarget.value)} /></label>
        <button><${Icon} name="fetch" />Bring in</button></form>
    </section>
    ${names.map((/** @type {any} */ name) => html`<${Name} key=${`${name.tag} ${name.digest}`} of=${shown} name=${name} now=${now} again=${again} />`)}
    ${more > 0 && html`<p class="quiet">and ${more} more names</p>`}
    ${
      pulls.length > 0 &&
      html`<section class="card"><header><h2>Pulled by</h2></header><ul class="rows">
      ${pulls.map(
        (
          /** @type {any} */ pull,
        ) => html`<li key=${pull.begunAt}><span class="cut">${pull.client ?? "a client"}${pull.tag !== undefined && html` <span class="tag">${pull.tag}</span>`} ${pull.platform}</span>
        <span class="right quiet">${size(pull.served)}, ${ago(pull.begunAt, now)}</span></li>`,
      )}</ul></section>`
    }`;
}

/** @param {{ readonly of: any, readonly name: any, readonly now: number, readonly again: () => void }} props */
function Name({ of, name, now, again }) {
  const { tag, digest, images, size: here, partial, wanted, keptBy, checkedAt } = name;
  return html`<section class="card">
    <header><h2 class="name">${tag === undefined ? shortDigest(digest) : nameOf({ ...of, tag })}${keptBy !== undefined && html` <button class="plain small" onClick=${() => unkeepName(keptBy, again)}><${Icon} name="lock" />kept by ${keptBy}</button>`}</h2>
      <span class="quiet">${tag !== undefined && html`<code>${shortDigest(digest)}</code>`}${checkedAt !== undefined && ` · asked ${ago(checkedAt, now)}`}</span></header>
    <p class="quiet">${size(here + partial)} of ${size(Math.max(wanted, here + partial))}</p>
    ${images.map((/** @type {any} */ image) => html`<${Image} key=${image.digest} image=${image} isOnly=${images.length === 1} />`)}
  </section>`;
}

/** @param {{ readonly image: any, readonly isOnly: boolean }} props */
function Image({ image, isOnly }) {
  const { platform, digest, isStored, parts, size: here, partial, wanted } = image;
  if (!isStored)
    return html`<p class="quiet image">${platform ?? shortDigest(digest)}: nobody has asked for it yet</p>`;
  return html`<details class="image" open=${isOnly}>
    <summary><strong>${platform ?? shortDigest(digest)}</strong> <span class="quiet">${size(here + partial)}${wanted > here + partial && ` of ${size(wanted)}`}, ${counted(parts.length, "part")}</span></summary>
    <ul class="rows">${parts.map(
      (/** @type {any} */ part) => html`<li key=${part.digest}>
      <span class="cut"><code>${shortDigest(part.digest)}</code> <span class="quiet">${part.role}</span></span>
      <span class="right quiet">${part.size === undefined ? size(part.present) : part.present === part.size ? size(part.size) : `${percent(part.present, part.size)} of ${size(part.size)}`}</span>
      <${PartMap} part=${part} /></li>`,
    )}</ul>
  </details>`;
}

/** @param {{ readonly part: any }} props */
function PartMap({ part: { size: all, present, runs } }) {
  if (all === undefined || all === 0) return null;
  const shown = runs ?? [{ start: 0, end: present }];
  return html`<svg class="part-map" viewBox="0 0 1000 8" preserveAspectRatio="none" aria-hidden="true">
    <rect class="missing" width="1000" height="8" />
    ${shown.map((/** @type {any} */ { start, end }) => html`<rect key=${start} x=${(start / all) * 1000} width=${Math.max(1, ((end - start) / all) * 1000)} height="8" />`)}
  </svg>`;
}
