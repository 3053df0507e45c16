/** Owns `granary evict`: what would go next when room is needed, and letting it go now. */
import { Command } from "commander";
import { formatBytes } from "../../bytes/units.ts";
import { type MadeRoomAnswer, madeRoomSchema } from "../../http/admin/routes/contents-routes.ts";
import { printJson, printLine, tell } from "../output.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";
import { usedWords } from "./content-words.ts";
import { type RowColumn, tableLines } from "./row-table.ts";

const SHORT = 19;

export function evictCommand(): Command {
  const command = new Command("evict")
    .requiredOption("--free <size>", "how much is to come free, such as 50GiB")
    .description(
      "Let go what was used longest ago until so much is free, in the order in which it would go for room. Nothing that is kept or being read goes.",
    )
    .action(run);
  return asAdminVerb(
    command,
    ["change", "alone"],
    "granary evict --free 50GiB --dry-run",
    "granary evict --free 50GiB",
  );
}

async function run(flags: AdminFlags & { readonly free: string }, command: Command): Promise<void> {
  const { free, dryRun, json } = flags;
  const path = "/api/v1/contents/evict";
  const made = await askServer(command, { alone: true }, (client) =>
    client.ask(madeRoomSchema, { method: "POST", path, query: { dryRun }, body: { free } }),
  );
  if (json === true) return printJson(made);
  for (const line of tableLines(made.next, columnsAt(Date.now()))) printLine(line);
  if (made.more > 0) printLine(`and ${made.more} more`);
  const verb = made.dryRun === true ? "would come" : "came";
  printLine(`${formatBytes(made.freed)} ${verb} free.`);
  if (made.isLess) tell("That is less than was asked for: the rest is kept, being read, or not there.");
}

function columnsAt(now: number): RowColumn<MadeRoomAnswer["next"][number]>[] {
  return [
    { head: "SIZE", isNumber: true, value: ({ size }) => formatBytes(size) },
    { head: "USED", isNumber: true, value: ({ usedAt }) => usedWords(usedAt, now) },
    {
      head: "WHAT",
      value: ({ kind, what }) => (kind === "damaged" ? `damaged ${what}` : `${kind} ${what.slice(0, SHORT)}`),
    },
    { head: "OF", value: ({ names }) => names.join(" ") },
  ];
}
