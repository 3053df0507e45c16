/** Owns the view of the fleet: its nodes and what each does, who brings what for all of them, the bucket, and the database that decides. */
import { html } from "htm/preact";
import { get } from "../api.js";
import { Bucket } from "../fleet/bucket.js";
import { Database, DatabaseLine } from "../fleet/database.js";
import { Leases } from "../fleet/leases.js";
import { Nodes } from "../fleet/nodes.js";
import { status } from "../live.js";
import { useAsked, Waiting } from "../parts/asked.js";

/** @typedef {import("../../http/admin/routes/fleet-shapes.ts").FleetAnswer} FleetAnswer */

/** A database that is slow takes a second of this. */
const EVERY_MS = 2_000;

export function Fleet() {
  // Until the first snapshot nobody knows whether there is a fleet.
  const isKnown = status.value?.fleet !== undefined;
  return html`<h1 class="hidden">Fleet</h1>${isKnown ? html`<${Known} />` : html`<${Waiting} asked=${{ isAsking: true, again: () => {} }} />`}`;
}

function Known() {
  // Asked by the beat of the snapshots: not at all while nobody looks or the server is away.
  const turn = Math.floor((status.value?.now ?? 0) / EVERY_MS);
  const asked = useAsked((signal) => get("/api/v1/fleet", {}, signal), [turn]);
  const fleet = /** @type {FleetAnswer | undefined} */ (asked.data);
  return html`<${Waiting} asked=${asked} />
    ${
      fleet !== undefined &&
      html`<${DatabaseLine} fleet=${fleet} />
      <div class="columns wide-first">
        <div class="stack"><${Nodes} fleet=${fleet} /><${Leases} leases=${fleet.leases} /></div>
        <div class="stack"><${Bucket} fleet=${fleet} /><${Database} fleet=${fleet} /></div>
      </div>`
    }`;
}
