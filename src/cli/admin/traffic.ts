/** Owns `granary traffic`: how much was served, fetched and saved, by time, by name or by client. */
import { Command, Option } from "commander";
import { formatBytes } from "../../bytes/units.ts";
import { TRAFFIC_GROUPS } from "../../http/admin/query-words.ts";
import type { TrafficAnswer } from "../../http/admin/routes/traffic-routes.ts";
import { lineCount } from "../line-count.ts";
import { printJson, printLine } from "../output.ts";
import { type Column, formatTable } from "../table.ts";
import type { AdminFlags } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";
import { asRecordsVerb, tellMissing, type WhoseFlags, whoseQuery } from "./fleet-options.ts";

const trafficSchema = async () => (await import("../../http/admin/routes/traffic-routes.ts")).trafficSchema;

type TrafficFlags = AdminFlags &
  WhoseFlags & {
    readonly by: TrafficAnswer["by"];
    readonly days?: number;
    readonly upstream?: string;
    readonly limit: number;
  };

/** More of them would push the names off the screen; --by node and --json tell them. */
const FEW_NODES = 4;

export function trafficCommand(): Command {
  const command = new Command("traffic")
    .description("Say how much was served to clients, fetched from upstreams, and saved.")
    .addOption(new Option("--by <what>", "one line for each").choices(TRAFFIC_GROUPS).default("day"))
    .option("--days <number>", "only the last so many days, today is one of them", lineCount)
    .option("--upstream <name>", "only what came from this upstream")
    .option("--limit <number>", "so many lines, at most 1000", lineCount, 30)
    .action(run);
  const examples = [
    "granary traffic",
    "granary traffic --by repository --days 30",
    "granary traffic --fleet",
    "granary traffic --by node --days 7",
    "granary traffic --by client --json",
  ];
  return asRecordsVerb(command, "traffic", ...examples);
}

async function run(flags: TrafficFlags, command: Command): Promise<void> {
  const { by, days, upstream, limit } = flags;
  const answer = await askServer(command, { alone: true }, (client) =>
    client.get(trafficSchema, "/api/v1/traffic", { by, days, upstream, limit, ...whoseQuery(flags) }),
  );
  tellMissing(flags, answer.fleet);
  if (flags.json === true) printJson(answer);
  else printLine(wordsOf(answer));
}

function wordsOf({ by, items, next, today, all, fleet }: TrafficAnswer): string {
  const hasNodes = fleet !== undefined && by !== "node";
  const rows = items.map((item) => rowOf(item, hasNodes));
  const lines = items.length === 0 ? "Nothing yet." : formatTable(columnsFor(by, hasNodes), rows);
  const more = next === undefined ? [] : ["There are more: see --limit."];
  const since = all.since === undefined ? "" : `, since ${all.since}`;
  return [lines, ...more, "", savedOf("Today", today), savedOf(`In all${since}`, all)].join("\n");
}

/** `hasNodes`: a row says which nodes had a part in it. */
function columnsFor(by: TrafficAnswer["by"], hasNodes: boolean): Column[] {
  const numbers = ["SERVED", "FETCHED", "SAVED", "PULLS", "HITS", "MISSES"];
  const names = hasNodes ? ["NODES", by.toUpperCase()] : [by.toUpperCase()];
  return [
    ...numbers.map((title) => ({ title, align: "right" as const })),
    ...names.map((title) => ({ title })),
  ];
}

function rowOf(item: TrafficAnswer["items"][number], hasNodes: boolean): string[] {
  const { served, fetched, saved, pulls, hits, misses, name, nodes = [] } = item;
  return [
    ...[served, fetched, saved].map(signedBytes),
    ...[pulls, hits, misses].map(String),
    ...(hasNodes ? [nodes.length > FEW_NODES ? `${nodes.length} nodes` : nodes.join(" ")] : []),
    // Of an hour.
    name.replace(/^(\d{4}-\d\d-\d\d)T(\d\d)$/, "$1 $2"),
  ];
}

function savedOf(when: string, { served, fetched, saved }: TrafficAnswer["today"]): string {
  return `${when}: ${signedBytes(saved)} saved (${formatBytes(served)} served, ${formatBytes(fetched)} fetched).`;
}

function signedBytes(bytes: number): string {
  return bytes < 0 ? `-${formatBytes(-bytes)}` : formatBytes(bytes);
}
