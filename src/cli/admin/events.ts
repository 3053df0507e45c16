/** Owns `granary events`: what happened, and with --follow what happens. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command, Option } from "commander";
import { systemClock } from "../../observe/clock.ts";
import { EVENT_KINDS, type EventKind } from "../../records/event.ts";
import { lineCount } from "../line-count.ts";
import { formatMoment } from "../moment.ts";
import { printJson, printLine } from "../output.ts";
import type { AdminClient, AnswerOf } from "./admin-client.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";

const eventsSchema = async () => (await import("../../http/admin/routes/past-event-routes.ts")).eventsSchema;

type EventsFlags = AdminFlags & {
  readonly kind?: EventKind;
  readonly follow?: boolean;
  readonly limit: number;
  readonly after?: string;
};

type Item = AnswerOf<typeof eventsSchema>["items"][number];

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
  const examples = ["granary events", "granary events --follow", "granary events --kind tag-moved --json"];
  return asAdminVerb(command, ["alone"], ...examples);
}

/** Oldest first, so that what is newest stands where one looks. */
async function run(flags: EventsFlags, command: Command): Promise<void> {
  await askServer(command, { alone: flags.follow !== true }, async (client) => {
    const { kind, limit, after } = flags;
    const answer = await client.get(eventsSchema, PATH, { kind, limit, after });
    const isList = flags.json === true && flags.follow !== true;
    if (isList) return printJson(answer);
    const past = answer.items.toReversed();
    for (const item of past) print(item, flags);
    if (flags.follow === true) await follow(client, flags, past.at(-1)?.id ?? 0);
    else if (past.length === 0) printLine("Nothing yet.");
    else if (answer.next !== undefined)
      printLine(`There are more: --after ${answer.next} lists what was before.`);
  });
}

/** Until the process is stopped. */
async function follow(client: AdminClient, flags: EventsFlags, last: number): Promise<never> {
  for (let since = last; ; ) {
    await sleep(EVERY_MS);
    const { items } = await client.get(eventsSchema, PATH, { kind: flags.kind, since, limit: MOST_AT_ONCE });
    for (const item of items) print(item, flags);
    since = items.at(-1)?.id ?? since;
  }
}

function print(item: Item, { json }: EventsFlags): void {
  if (json === true) {
    printJson(item);
    return;
  }
  const { client } = item.facts;
  const who = client === undefined ? "" : ` (${client})`;
  printLine(`${formatMoment(item.at, systemClock.now())}  ${item.text}${who}`);
}
