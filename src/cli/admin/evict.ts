/** Owns `granary evict`: what would go next when room is needed, and letting it go now. */
import { Command } from "commander";
import { formatBytes } from "../../bytes/units.ts";
import type { MadeRoomAnswer } from "../../http/admin/routes/removing-routes.ts";
import { printJson, printLine, tell } from "../output.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";
import { usedWords } from "./content-words.ts";
import { CTRL_C, failureOf, followJob } from "./follow-job.ts";
import { type RowColumn, tableLines } from "./row-table.ts";

const evictAnswerSchema = async () =>
  (await import("../../http/admin/routes/removing-routes.ts")).evictAnswerSchema;
const evictedByJobSchema = async () =>
  (await import("../../http/admin/routes/removing-routes.ts")).evictedByJobSchema;

const SHORT = 19;

export function evictCommand(): Command {
  const command = new Command("evict")
    .requiredOption("--free <size>", "how much is to come free, such as 50GiB")
    .description(
      "Let go what was used longest ago until so much is free, in the order in which it would go for room. Nothing that is kept or being read goes.",
    )
    .addHelpText("after", CTRL_C)
    .action(run);
  return asAdminVerb(
    command,
    ["change", "alone", "quiet"],
    "granary evict --free 50GiB --dry-run",
    "granary evict --free 50GiB",
  );
}

type EvictFlags = AdminFlags & { readonly free: string; readonly quiet?: boolean };

async function run(flags: EvictFlags, command: Command): Promise<void> {
  const { free, dryRun } = flags;
  const path = "/api/v1/contents/evict";
  await askServer(command, { alone: true }, async (client) => {
    const question = { method: "POST", path, query: { dryRun }, body: { free } } as const;
    const answer = await client.ask(evictAnswerSchema, question);
    if (!("job" in answer)) {
      printMade(answer, flags);
      return;
    }
    const job = await followJob(client, answer.job, flags);
    if (job === undefined) return;
    const result = (await evictedByJobSchema()).safeParse(job.result).data;
    if (result === undefined) throw failureOf(job);
    if (job.state !== "done") process.exitCode = 1;
    if (flags.json === true) printJson(job);
    else printEnd(result.freed, "came", result.isLess && job.state === "done");
  });
}

function printMade(made: MadeRoomAnswer, { json }: EvictFlags): void {
  if (json === true) {
    printJson(made);
    return;
  }
  for (const line of tableLines(made.next, columnsAt(Date.now()))) printLine(line);
  if (made.more > 0) printLine(`and ${made.more} more`);
  const verb = made.dryRun === true ? "would come" : "came";
  printEnd(made.freed, verb, made.isLess);
}

function printEnd(freed: number, verb: string, isLess: boolean): void {
  printLine(`${formatBytes(freed)} ${verb} free.`);
  if (isLess) tell("That is less than was asked for: the rest is kept, being read, or not there.");
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
