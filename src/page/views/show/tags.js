/** Owns the tags of a repository, and what was pulled by its digest: each with its platforms and how much of it is here. */
import { html } from "htm/preact";
import { removeName } from "../../changes/remove.js";
import { ago, counted, nameOf, percent, shortDigest, size } from "../../format.js";
import { status } from "../../live.js";
import { wholeName } from "../../names.js";
import { Icon } from "../../parts/icon.js";
import { linkTo } from "../../route.js";

/** @typedef {import("zod").infer<typeof import("../../../http/admin/routes/contents-routes.ts").shownSchema>} Shown */

/** @param {{ readonly shown: Shown, readonly held: readonly any[], readonly more: number, readonly again: () => void }} props */
export function Tags({ shown, held, more, again }) {
  const { names } = shown;
  const isHeld = new Set(held.map(({ name }) => name));
  return html`<section class="card"><header><h2>${counted(names.length + more, names.every(({ tag }) => tag !== undefined) ? "tag" : "name")}</h2></header>
    ${names.length === 0 && html`<p class="quiet">No tag is here, only blobs that a pull began with.</p>`}
    <ul class="rows contents">${names.map((/** @type {Shown["names"][number]} */ name) => html`<${Tag} key=${`${name.tag} ${name.digest}`} of=${shown} name=${name} isHeld=${isHeld} again=${again} />`)}</ul>
    ${more > 0 && html`<p class="quiet">and ${counted(more, "more name")}: <a href=${linkTo("contents", { by: "tag", search: `${shown.upstream}/${shown.repository}` })}>all of them</a></p>`}</section>`;
}

/** @param {{ readonly of: Shown, readonly name: Shown["names"][number], readonly isHeld: ReadonlySet<string>, readonly again: () => void }} props */
function Tag({ of: { upstream, repository }, name, isHeld, again }) {
  const { tag, digest, images, size: whole, partial, wanted, keptBy, usedAt } = name;
  const named = { upstream, repository, tag, digest };
  const pattern = wholeName(named);
  const text = tag ?? `@${shortDigest(digest)}`;
  const title =
    tag === undefined ? `${nameOf({ upstream, repository })}${text}` : nameOf({ upstream, repository, tag });
  const here = whole + partial;
  const now = status.value?.now ?? Date.now();
  return html`<li>
    <span class="name"><a class="stored" href=${linkTo("show", { reference: pattern })}>${text}</a>
      ${keptBy !== undefined && html` <span class="tag good" title=${`kept by the rule ${keptBy}`}>kept</span>`}
      ${isHeld.has(pattern) && html` <span class="tag note">a newer one is held back</span>`}
      <${Platforms} images=${images} /></span>
    <span class="right">${size(here)} <button type="button" class="plain" data-change title="Remove" onClick=${() => removeName({ pattern, title, here, after: again })}><${Icon} name="remove" /><span class="hidden">Remove ${title}</span></button></span>
    <span class="small quiet">${wanted > here ? `${percent(here, wanted)} of ${size(wanted)} here` : "all of it is here"}${usedAt !== undefined && ` · used ${ago(usedAt, now)}`}</span>
  </li>`;
}

const MOST_SHOWN = 4;

/** @param {{ readonly images: readonly any[] }} props */
function Platforms({ images }) {
  const stored = images.filter(
    ({ isStored, platform }) => isStored && platform !== undefined && !platform.startsWith("unknown"),
  );
  return html`${stored.slice(0, MOST_SHOWN).map(({ platform, digest }) => html` <span class="tag" key=${digest}>${platform}</span>`)}${stored.length > MOST_SHOWN && html` <span class="tag">${stored.length - MOST_SHOWN} more</span>`}`;
}
