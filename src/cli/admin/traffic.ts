/** Owns `granary traffic`: how much was served, fetched and saved, by time, by name or by client. */
import { Command, Option } from "commander";
import { formatBytes } from "../../bytes/units.ts";
import { TRAFFIC_GROUPS } from "../../http/admin/query-words.ts";
import type { TrafficAnswer } from "../../http/admin/routes/traffic-routes.ts";
import { lineCount } from "../line-count.ts";
import { printJson, printLine } from "../output.ts";
import { type Column, formatTable } from "../table.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";

const trafficSchema = async () => (await import("../../http/admin/routes/traffic-routes.ts")).trafficSchema;

type TrafficFlags = AdminFlags & {
  readonly by: TrafficAnswer["by"];
  readonly days?: number;
  readonly upstream?: string;
  readonly limit: number;
};

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
    "granary traffic --by client --json",
  ];
  return asAdminVerb(command, ["alone"], ...examples);
}

async function run(flags: TrafficFlags, command: Command): Promise<void> {
  const { by, days, upstream, limit } = flags;
  const answer = await askServer(command, { alone: true }, (client) =>
    client.get(trafficSchema, "/api/v1/traffic", { by, days, upstream, limit }),
  );
  if (flags.json === true) printJson(answer);
  else printLine(wordsOf(answer));
}

function wordsOf({ by, items, next, today, all }: TrafficAnswer): string {
  const lines = items.length === 0 ? "Nothing yet." : formatTable(columnsFor(by), items.map(rowOf));
  const more = next === undefined ? [] : ["There are more: see --limit."];
  const since = all.since === undefined ? "" : `, since ${all.since}`;
  return [lines, ...more, "", savedOf("Today", today), savedOf(`In all${since}`, all)].join("\n");
}

function columnsFor(by: TrafficAnswer["by"]): Column[] {
  const numbers = ["SERVED", "FETCHED", "SAVED", "PULLS", "HITS", "MISSES"];
  return [...numbers.map((title) => ({ title, align: "right" as const })), { title: by.toUpperCase() }];
}

function rowOf({
  served,
  fetched,
  saved,
  pulls,
  hits,
  misses,
  name,
}: TrafficAnswer["items"][number]): string[] {
  return [
    ...[served, fetched, saved].map(signedBytes),
    ...[pulls, hits, misses].map(String),
    name.replace("T", " "),
  ];
}

function savedOf(when: string, { served, fetched, saved }: TrafficAnswer["today"]): string {
  return `${when}: ${signedBytes(saved)} saved (${formatBytes(served)} served, ${formatBytes(fetched)} fetched).`;
}

function signedBytes(bytes: number): string {
  return bytes < 0 ? `-${formatBytes(-bytes)}` : formatBytes(bytes);
}
