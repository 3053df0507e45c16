/** Owns the images of one name: a platform each, with its layers and which part of each layer is here. */
import { html } from "htm/preact";
import { counted, percent, shortDigest, size } from "../../format.js";

/** @typedef {import("zod").infer<typeof import("../../../http/admin/routes/contents-routes.ts").shownSchema>["names"][number]["images"][number]} ShownImage */

/** As builders mark what they attest about an image. */
const NO_PLATFORM = "unknown/unknown";

/** @param {{ readonly images: readonly any[] }} props */
export function Images({ images }) {
  const stored = images.filter(({ isStored }) => isStored);
  const others = images.filter(({ isStored, platform }) => !isStored && platform !== NO_PLATFORM);
  return html`${stored.map((image) => html`<${Image} key=${image.digest} image=${image} isOnly=${stored.length === 1} />`)}
    ${others.length > 0 && html`<section class="card"><header><h2>Nobody asked for these yet</h2></header><p class="bar">${others.map(({ platform, digest }) => html`<span class="tag" key=${digest}>${platform ?? shortDigest(digest)}</span>`)}</p></section>`}`;
}

/** @param {{ readonly image: ShownImage, readonly isOnly: boolean }} props */
function Image({ image: { platform, digest, parts, size: whole, partial, wanted }, isOnly }) {
  const here = whole + partial;
  const title = platform === NO_PLATFORM ? "What its builder attests" : (platform ?? "This image");
  return html`<section class="card"><details open=${isOnly}>
    <summary><h2>${title}</h2> <span class="quiet">${size(here)}${wanted > here && ` of ${size(wanted)}`}, ${counted(parts.length, "part")} · <code>${shortDigest(digest)}</code></span></summary>
    <ul class="rows">${parts.map((/** @type {ShownImage["parts"][number]} */ part) => html`<${Part} key=${part.digest} part=${part} />`)}</ul>
  </details></section>`;
}

/** @param {{ readonly part: ShownImage["parts"][number] }} props */
function Part({ part }) {
  const { digest, role, size: all, present } = part;
  const amount =
    all === undefined
      ? `${size(present)} here`
      : present >= all
        ? size(all)
        : present === 0
          ? `not here, ${size(all)}`
          : `${percent(present, all)} of ${size(all)}`;
  return html`<li><span class="cut"><code title=${digest}>${shortDigest(digest)}</code> <span class="quiet">${role}</span></span>
    <span class="right quiet">${amount}</span><${PartMap} part=${part} /></li>`;
}

/** @param {{ readonly part: ShownImage["parts"][number] }} props */
function PartMap({ part: { size: all, present, runs } }) {
  if (all === undefined || all === 0) return null;
  const shown = runs ?? (present === 0 ? [] : [{ start: 0, end: present }]);
  return html`<svg class="part-map" viewBox="0 0 1000 8" preserveAspectRatio="none" aria-hidden="true">
    <rect class="missing" width="1000" height="8" />
    ${shown.map((/** @type {any} */ { start, end }) => html`<rect key=${start} x=${(start / all) * 1000} width=${Math.max(1, ((end - start) / all) * 1000)} height="8" />`)}
  </svg>`;
}
