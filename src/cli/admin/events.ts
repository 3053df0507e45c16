/** Owns `granary events`: what happened, and with --follow what happens. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command, Option } from "commander";
import { systemClock } from "../../observe/clock.ts";
import { EVENT_KINDS, type EventKind } from "../../records/event.ts";
import { lineCount } from "../line-count.ts";
import { formatMoment } from "../moment.ts";
import { printJson, printLine } from "../output.ts";
import type { AdminClient, AnswerOf } from "./admin-client.ts";
import type { AdminFlags } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";
import { asRecordsVerb, tellMissing, type WhoseFlags, whoseQuery } from "./fleet-options.ts";

const eventsSchema = async () => (await import("../../http/admin/routes/past-event-routes.ts")).eventsSchema;

type EventsFlags = AdminFlags &
  WhoseFlags & {
    readonly kind?: EventKind;
    readonly follow?: boolean;
    readonly limit: number;
    readonly after?: string;
  };

type Answer = AnswerOf<typeof eventsSchema>;
type Item = Answer["items"][number];

const PATH = "/api/v1/events/past";
const EVERY_MS = 1_000;
const MOST_AT_ONCE = 1_000;

export function eventsCommand(): Command {
  const command = new Command("events")
    .description("Say what happened: pulls, transfers, moved tags, evictions, upstreams, jobs.")
    .option(
      "-f, --follow",
      "go on with what happens from now on, until Ctrl-C; with --json one value on each line",
    )
    .addOption(new Option("--kind <kind>", "only these").choices(EVENT_KINDS))
    .option("--limit <number>", "so many of those that are over, at most 1000", lineCount, 30)
    .option("--after <id>", "what was before this one: the next of --json")
    .action(run);
  const examples = [
    "granary events",
    "granary events --follow",
    "granary events --fleet --follow",
    "granary events --kind tag-moved --json",
  ];
  return asRecordsVerb(command, "events", ...examples);
}

/** Oldest first, so that what is newest stands where one looks. */
async function run(flags: EventsFlags, command: Command): Promise<void> {
  await askServer(command, { alone: flags.follow !== true }, async (client) => {
    const { kind, limit, after } = flags;
    const answer = await client.get(eventsSchema, PATH, { kind, limit, after, ...whoseQuery(flags) });
    tellMissing(flags, answer.fleet);
    const isList = flags.json === true && flags.follow !== true;
    if (isList) return printJson(answer);
    const past = answer.items.toReversed();
    for (const item of past) print(item, flags);
    if (flags.follow === true) await follow(client, flags, answer);
    else if (past.length === 0) printLine("Nothing yet.");
    else if (answer.next !== undefined)
      printLine(`There are more: --after ${answer.next} lists what was before.`);
  });
}

/** Until the process is stopped. That other nodes are missing than before is said as it happens. */
async function follow(client: AdminClient, flags: EventsFlags, first: Answer): Promise<never> {
  let since = first.fleet?.seen ?? String(first.items[0]?.id ?? 0);
  let missing = missingIn(first);
  for (;;) {
    await sleep(EVERY_MS);
    const query = { kind: flags.kind, since, limit: MOST_AT_ONCE, ...whoseQuery(flags) };
    const answer = await client.get(eventsSchema, PATH, query);
    if (missingIn(answer) !== missing) tellMissing(flags, answer.fleet, "all nodes answer again");
    for (const item of answer.items) print(item, flags);
    missing = missingIn(answer);
    since = answer.fleet?.seen ?? String(answer.items.at(-1)?.id ?? since);
  }
}

function missingIn({ fleet }: Answer): string {
  return fleet?.missing.map(({ node }) => node).join() ?? "";
}

function print(item: Item, { json }: EventsFlags): void {
  if (json === true) {
    printJson(item);
    return;
  }
  const { client } = item.facts;
  const who = client === undefined ? "" : ` (${client})`;
  const where = item.node === undefined ? "" : `${item.node}  `;
  printLine(`${formatMoment(item.at, systemClock.now())}  ${where}${item.text}${who}`);
}
