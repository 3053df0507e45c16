/** Owns whether the database of the fleet answers this node, and what it means when it does not. */
import { html } from "htm/preact";
import { duration, moment } from "../format.js";
import { Command } from "../parts/command.js";
import { Icon } from "../parts/icon.js";

/** @typedef {import("../../http/admin/routes/fleet-shapes.ts").FleetAnswer} FleetAnswer */

/** On top, while it is away. @param {{ readonly fleet: FleetAnswer }} props */
export function DatabaseLine({ fleet: { database, seenAt, now } }) {
  if (database.isAnswering) return null;
  const from = seenAt === undefined ? "" : ` What is below is as it was at ${moment(seenAt, now)}.`;
  return html`<p class="banner bad" role="status"><${Icon} name="warning" /><span>The fleet's database has not answered this node for ${duration(now - database.since)}. It serves what it has, and fetches the rest for itself alone until the database is back.${from}</span></p>`;
}

/** @param {{ readonly fleet: FleetAnswer }} props */
export function Database({ fleet: { database, now, node } }) {
  const { isAnswering, since } = database;
  return html`<section class="card fleet-database"><header><h2>Database</h2><span class="quiet">as ${node} sees it</span></header>
    <p class="now-line"><span><span class=${`dot inline ${isAnswering ? "good" : "bad"}`}></span> ${isAnswering ? "answers" : "does not answer"}</span><span class="small quiet">since ${moment(since, now)}</span></p>
    <${Command} text="granary fleet" label="Copy the command" /></section>`;
}
