/** Owns the head of what is shown: its name, how much of it is here, what holds it, and everything that can be done to it. */
import { html } from "htm/preact";
import { warmNow } from "../../changes/bring-in.js";
import { exportBundle } from "../../changes/bundle-export.js";
import { keepName, unkeepName } from "../../changes/keep.js";
import { refreshName } from "../../changes/refresh.js";
import { removeName } from "../../changes/remove.js";
import { ago, nameOf, percent, shortDigest, size } from "../../format.js";
import { status } from "../../live.js";
import { wholeName } from "../../names.js";
import { CopyButton } from "../../parts/command.js";
import { Icon } from "../../parts/icon.js";
import { linkTo } from "../../route.js";
import { Held } from "./held.js";

/**
 * `name` is the one tag or digest that is shown; without it all of the repository is.
 * @param {{ readonly shown: any, readonly name: any, readonly held: readonly any[], readonly again: () => void }} props
 */
export function Head({ shown, name, held, again }) {
  const { upstream, repository } = shown;
  const named = { upstream, repository, tag: name?.tag, digest: name?.digest };
  const pattern = wholeName(named);
  const title = `${nameOf(named)}${name !== undefined && name.tag === undefined ? `@${shortDigest(name.digest)}` : ""}`;
  const { size: whole, partial, wanted } = name ?? shown;
  const here = whole + partial;
  return html`<section class="card stack">
    ${name !== undefined && html`<p class="small"><a href=${linkTo("show", { reference: wholeName({ upstream, repository }) })}>All of ${nameOf({ upstream, repository })}</a></p>`}
    <div class="bar"><h1 class="name title">${title}</h1><${CopyButton} text=${pattern} label="Copy the name" /></div>
    <${Amount} here=${here} wanted=${wanted} />
    <${Facts} shown=${shown} name=${name} />
    ${held.filter((each) => isOf(each.name, pattern)).map((each) => html`<${Held} key=${`${each.name} ${each.newDigest}`} held=${each} again=${again} />`)}
    <${Acts} pattern=${pattern} title=${title} here=${here} keptBy=${keptByOf(shown, name)} platforms=${platformsOf(shown, name)} canAsk=${name === undefined || name.tag !== undefined} again=${again} />
  </section>`;
}

/** @param {string} name @param {string} pattern */
function isOf(name, pattern) {
  return name === pattern || name.startsWith(`${pattern}:`) || name.startsWith(`${pattern}@`);
}

/** The rule that keeps all of what is shown. @param {any} shown @param {any} name */
function keptByOf({ names, more }, name) {
  if (name !== undefined) return name.keptBy;
  const [first] = names;
  const isOne = more === 0 && names.every((/** @type {any} */ { keptBy }) => keptBy === first?.keptBy);
  return isOne ? first?.keptBy : undefined;
}

/** Those of which something is here. @param {any} shown @param {any} name @returns {string[]} */
function platformsOf({ names }, name) {
  const images = (name === undefined ? names : [name]).flatMap((/** @type {any} */ each) => each.images);
  const stored = images.filter(
    (/** @type {any} */ { isStored, platform }) =>
      isStored && platform?.includes("/") && !platform.startsWith("unknown"),
  );
  return [...new Set(stored.map((/** @type {any} */ { platform }) => platform))];
}

/** @param {{ readonly here: number, readonly wanted: number }} props */
function Amount({ here, wanted }) {
  const isWhole = wanted <= here;
  return html`<div class="how-much"><p><strong>${size(here)}</strong> ${isWhole ? "here, and that is all of it" : html`here of ${size(wanted)} <span class="quiet">(${percent(here, wanted)})</span>`}</p>
    ${!isWhole && html`<progress max=${wanted} value=${here} aria-label="How much of it is here"></progress>`}</div>`;
}

/** @param {{ readonly shown: any, readonly name: any }} props */
function Facts({ shown, name }) {
  const now = status.value?.now ?? Date.now();
  const usedAt = name?.usedAt ?? shown.usedAt;
  const facts = [
    [
      "Digest",
      name?.digest &&
        html`<code class="name">${name.digest}</code> <${CopyButton} text=${name.digest} label="Copy the digest" />`,
    ],
    ["Last used", usedAt && ago(usedAt, now)],
    ["Asked at its registry", name?.checkedAt && ago(name.checkedAt, now)],
    [
      "Saved",
      shown.saved > 0 &&
        `${size(shown.saved)} that did not cross the internet${name === undefined ? "" : ", all tags together"}`,
    ],
    ["Kept by the rule", name?.keptBy && html`<code class="name">${name.keptBy}</code>`],
  ].filter(([, value]) => value);
  return (
    facts.length > 0 &&
    html`<dl class="facts">${facts.map(([title, value]) => html`<div key=${title}><dt>${title}</dt><dd>${value}</dd></div>`)}</dl>`
  );
}

/**
 * @param {{ readonly pattern: string, readonly title: string, readonly here: number, readonly keptBy: string | undefined,
 *   readonly platforms: readonly string[], readonly canAsk: boolean, readonly again: () => void }} props
 */
function Acts({ pattern, title, here, keptBy, platforms, canAsk, again }) {
  const isKept = keptBy !== undefined;
  return html`<div class="bar">
    <button type="button" data-change onClick=${() => (isKept ? unkeepName(keptBy, again) : keepName(pattern, again, title))}><${Icon} name=${isKept ? "unlock" : "lock"} />${isKept ? "Do not keep" : "Keep"}</button>
    ${canAsk && html`<button type="button" data-change onClick=${() => refreshName(pattern, again, title)}><${Icon} name="refresh" />Ask again</button>`}
    <button type="button" data-change onClick=${() => warmNow(pattern, platforms.join(", "), again, title)}><${Icon} name="fetch" />Bring in</button>
    <button type="button" data-change onClick=${() => exportBundle({ patterns: pattern, platforms: "", attestations: false, fetch: true })}><${Icon} name="box" />Export</button>
    <button type="button" class="push" data-change onClick=${() => removeName({ pattern, title, here, after: again })}><${Icon} name="remove" />Remove</button>
  </div>`;
}
