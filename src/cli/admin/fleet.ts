/** Owns `granary fleet`: the nodes of a fleet, its bucket and its database, and who brings what for all of them. */
import { Command } from "commander";
import { formatBytes, formatDuration } from "../../bytes/units.ts";
import type { FleetAnswer } from "../../http/admin/routes/fleet-shapes.ts";
import { type Fact, formatFacts } from "../facts.ts";
import { withExamples } from "../help.ts";
import { formatMoment } from "../moment.ts";
import { columnsOfOutput, printJson, printLine } from "../output.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";
import { databaseWords, leaseWords, nodeStateWords, storedWords } from "./fleet-words.ts";
import { tableLines } from "./row-table.ts";

const fleetSchema = async () => (await import("../../http/admin/routes/fleet-shapes.ts")).fleetSchema;

const STATES = `
What the states mean:
  live            its heartbeat came within the last seconds
  silent for 3s   it is late: others take over what it does four seconds after its last heartbeat
  gone            others have taken over; it is forgotten after an hour`;

const LEASES = `
What is done under a lease is done by one node for all of them: fills brings a blob from its upstream, shares puts one
into the bucket that the node has anyway, asks looks where a tag points, tidies evicts from the bucket,
begins starts warm-ups and the like at their time.`;

export function fleetCommand(): Command {
  const group = new Command("fleet").description(
    "The fleet that a running Granary is a node of: its nodes, who brings what for all, what its bucket holds.",
  );
  const nodes = new Command("nodes")
    .description("List the nodes with their state and what each does, and say how bucket and database are.")
    .action(runNodes);
  const leases = new Command("leases")
    .description("List who brings what for the whole fleet right now, and for how long; the oldest first.")
    .action(runLeases);
  const examples = ["granary fleet", "granary fleet nodes --json"];
  group.addCommand(asAdminVerb(nodes, [], ...examples).addHelpText("after", STATES), { isDefault: true });
  group.addCommand(
    asAdminVerb(leases, [], "granary fleet leases", "granary fleet leases --json").addHelpText(
      "after",
      LEASES,
    ),
  );
  return withExamples(group, ["granary fleet", "granary fleet leases"]);
}

async function runNodes({ json }: AdminFlags, command: Command): Promise<void> {
  const fleet = await ask(command);
  if (json === true) return printJson(fleet);
  for (const line of nodeLines(fleet)) printLine(line);
  printLine("");
  printLine(formatFacts(factsOf(fleet), columnsOfOutput()));
}

async function runLeases({ json }: AdminFlags, command: Command): Promise<void> {
  const { leases } = await ask(command);
  if (json === true) return printJson(leases);
  if (leases.length === 0) return printLine("No node does anything for the others right now.");
  const lines = tableLines(leases, [
    { head: "NODE", value: ({ node }) => node },
    { head: "DOES", value: (lease) => leaseWords(lease).does },
    { head: "FOR", value: ({ heldMs }) => formatDuration(heldMs), isNumber: true },
    { head: "WHAT", value: (lease) => leaseWords(lease).what },
  ]);
  for (const line of lines) printLine(line);
}

function ask(command: Command): Promise<FleetAnswer> {
  return askServer(command, {}, (client) => client.get(fleetSchema, "/api/v1/fleet"));
}

/** Names stand last: they are never cut. */
function nodeLines({ nodes, node: asked }: FleetAnswer): readonly string[] {
  const version = nodes.find(({ isMe }) => isMe)?.version;
  if (nodes.length === 0) return [`This is ${asked}; its database has not told of any node yet.`];
  return tableLines(nodes, [
    { head: "STATE", value: nodeStateWords },
    { head: "ZONE", value: ({ zone }) => zone },
    { head: "VERSION", value: (each) => `${each.version}${each.version === version ? "" : " (another)"}` },
    { head: "FILLS", value: ({ state }) => state.fills?.toString(), isNumber: true },
    { head: "DISK", value: ({ state }) => storedWords(state), isNumber: true },
    { head: "TO CLIENTS", value: ({ state }) => rate(state.served), isNumber: true },
    { head: "NODE", value: ({ node, isMe }) => `${node}${isMe ? " (this one)" : ""}` },
  ]);
}

function rate(served: number | undefined): string | undefined {
  return served === undefined ? undefined : `${formatBytes(served)}/s`;
}

function factsOf({ bucket, database, unshared, seenAt, leases, now }: FleetAnswer): Fact[] {
  const isOld = !database.isAnswering && seenAt !== undefined;
  const old = isOld ? [`what it told of nodes is from ${formatMoment(seenAt, now)}`] : [];
  return [
    ["Database", [databaseWords(database, now), ...old]],
    ["Bucket", bucket === undefined ? "not known yet" : bucketLines(bucket)],
    ["Not shared yet", unshared === 0 ? undefined : `${counted(unshared, "blob")} of this node`],
    ["Leases", leases.length === 0 ? "none" : `${leases.length} (granary fleet leases)`],
  ];
}

function bucketLines({ objects, bytes, limit, doomedObjects, doomedBytes }: Bucket): string[] {
  const of = limit === undefined ? "no limit" : `of ${formatBytes(limit)}`;
  const used = `${formatBytes(bytes)} in ${counted(objects, "object")}, ${of}`;
  if (doomedObjects === 0) return [used];
  return [used, `${formatBytes(doomedBytes)} in ${counted(doomedObjects, "object")} more, deleted soon`];
}

type Bucket = NonNullable<FleetAnswer["bucket"]>;

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
