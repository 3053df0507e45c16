/** Owns what is said of a name whose new version is held back: until when, and the way to let it through. */
import { html } from "htm/preact";
import { letThrough } from "../../changes/passage.js";
import { duration, shortDigest } from "../../format.js";
import { status } from "../../live.js";
import { Icon } from "../../parts/icon.js";

/** @typedef {import("zod").infer<typeof import("../../../http/admin/routes/passage-routes.ts").heldBackSchema>["items"][number]} Held */

/** @param {{ readonly held: Held, readonly again: () => void }} props */
export function Held({ held: { name, oldDigest, newDigest, passesAt }, again }) {
  const now = status.value?.now ?? Date.now();
  const wait = passesAt > now ? `for ${duration(passesAt - now)} more` : "until it is asked for again";
  return html`<p class="banner note"><${Icon} name="lock" /><span class="name">${name.replace(/^.*[/]/, "")} is held back ${wait}: ${oldDigest === undefined ? "it is new" : `it moved to ${shortDigest(newDigest)}`}, and the settings want what is new to wait. ${oldDigest !== undefined && "What was known is served meanwhile."}</span><button type="button" class="push" data-change onClick=${() => letThrough(name, again)}>Let it through</button></p>`;
}
