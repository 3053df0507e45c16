/** Owns what is held back because it is too new: what is served meanwhile, when it passes, and letting it through now. */
import { html } from "htm/preact";
import { get } from "../../api.js";
import { letThrough } from "../../changes/passage.js";
import { ago, counted, shortDigest } from "../../format.js";
import { status } from "../../live.js";
import { Waiting } from "../../parts/asked.js";
import { useSome } from "../../parts/some.js";
import { dueInWords } from "../../times.js";
import { askAgain, useFresh } from "./fresh.js";

/** @typedef {import("zod").infer<typeof import("../../../http/admin/routes/passage-routes.ts").heldBackSchema>["items"][number]} Held */

/** It is over by itself at a time that no event tells. */
const AGAIN_MS = 60_000;

export function HeldBackTags() {
  const asked = useFresh(
    (signal) => get("/api/v1/held-back", {}, signal),
    ["held-back", "tag-moved", "settings-reloaded"],
    AGAIN_MS,
  );
  const items = asked.data?.items ?? [];
  const [shown, more] = useSome(items);
  return html`<section class="card"><header><h2>Held back</h2><span class="quiet">${items.length > 0 ? counted(items.length, "name") : "too new to pass"}</span></header><${Waiting} asked=${asked} />
    ${asked.data !== undefined && items.length === 0 && html`<p class="quiet">Nothing is held back now.</p>`}
    <ul class="rows lined" aria-label="Held back">${shown.map((/** @type {Held} */ held) => html`<${HeldRow} key=${`${held.name} ${held.newDigest}`} held=${held} />`)}</ul>${more}</section>`;
}

/** @param {{ readonly held: Held }} props */
function HeldRow({ held: { name, oldDigest, newDigest, firstSeenAt, passesAt } }) {
  const now = status.value?.now ?? Date.now();
  return html`<li><span class="name"><strong>${name}</strong></span>
    <span class="right"><button class="plain fine" type="button" data-change onClick=${() => letThrough(name, askAgain)}>Let it through<span class="hidden">: ${name}</span></button></span>
    <span class="small wide-row">Passes <strong>${dueInWords(passesAt, now)}</strong> <span class="quiet">· first seen ${ago(firstSeenAt, now)}</span></span>
    <span class="small quiet wide-row" title=${newDigest}>${oldDigest === undefined ? "Refused until then:" : html`Served meanwhile: <code title=${oldDigest}>${shortDigest(oldDigest)}</code> · waits:`} <code>${shortDigest(newDigest)}</code></span></li>`;
}
