/** Owns how full the bucket of the fleet is, against its limit where it has one, and what is deleted soon. */
import { html } from "htm/preact";
import { counted, percent, size } from "../format.js";

/** @typedef {import("../../http/admin/routes/fleet-shapes.ts").FleetAnswer} FleetAnswer */

/** @param {{ readonly fleet: FleetAnswer }} props */
export function Bucket({ fleet: { bucket, unshared } }) {
  return html`<section class="card"><header><h2>Bucket</h2><span class="quiet">${bucket !== undefined && (bucket.limit === undefined ? "no limit" : `${percent(bucket.bytes, bucket.limit)} of its limit`)}</span></header>
    ${bucket === undefined ? html`<p class="empty">It is not known yet what it holds.</p>` : html`<${Use} bucket=${bucket} />`}
    <p class="small quiet">${unshared === 0 ? "Everything on this node's disk is in it, too." : `${counted(unshared, "blob")} of this node ${unshared === 1 ? "is" : "are"} on the way to it.`}</p>
  </section>`;
}

/** @param {{ readonly bucket: NonNullable<FleetAnswer["bucket"]> }} props */
function Use({ bucket: { bytes, objects, limit, doomedObjects, doomedBytes } }) {
  const meter = { width: `${limit === undefined ? 0 : Math.min(100, (bytes / Math.max(1, limit)) * 100)}%` };
  return html`${limit !== undefined && html`<div class="meter"><i style=${meter}></i></div>`}
    <p class="small">${size(bytes)}${limit !== undefined && html` <span class="quiet">of ${size(limit)}</span>`}<span class="quiet">; ${counted(objects, "object")}</span></p>
    ${doomedObjects > 0 && html`<p class="small quiet">${counted(doomedObjects, "more object")} (${size(doomedBytes)}) ${doomedObjects === 1 ? "is deleted soon, unless somebody asks for it" : "are deleted soon, unless somebody asks for them"}.</p>`}`;
}
