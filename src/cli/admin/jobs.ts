/** Owns `granary jobs`: the long work of a running Granary, listed, shown, followed and stopped. */
import { Command } from "commander";
import { formatBytes, formatDuration } from "../../bytes/units.ts";
import type { Job, JobBrief } from "../../http/admin/routes/jobs-routes.ts";
import { timeText } from "../../schedule/time-text.ts";
import { misused } from "../exit-code.ts";
import { type Fact, formatFacts } from "../facts.ts";
import { withExamples } from "../help.ts";
import { columnsOfOutput, formatJson, printJson, printLine } from "../output.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";
import { CTRL_C, followJob } from "./follow-job.ts";

const jobListSchema = async () => (await import("../../http/admin/routes/jobs-routes.ts")).jobListSchema;
const jobSchema = async () => (await import("../../http/admin/routes/jobs-routes.ts")).jobSchema;
const stoppedSchema = async () => (await import("../../http/admin/routes/jobs-routes.ts")).stoppedSchema;

const ID = ["<id>", "its number, as granary jobs list shows it"] as const;

export function jobsCommand(): Command {
  const group = new Command("jobs").description(
    "Long work of a running Granary (warm-ups, verification, imports, exports): list, show, follow and stop it.",
  );
  const list = new Command("list")
    .description("List the jobs that run and those that ended lately, the newest first.")
    .option("--running", "only those that run")
    .action(runList);
  const show = new Command("show")
    .description("Show one job, with what it said and its result.")
    .argument(...ID)
    .action(runShow);
  const follow = new Command("follow")
    .description("Show the progress of a job until it ends.")
    .argument(...ID)
    .action(runFollow);
  const stop = new Command("stop")
    .description("Ask a job to stop; what it has brought stays.")
    .argument(...ID)
    .action(runStop);
  group.addCommand(asAdminVerb(list, [], "granary jobs list", "granary jobs list --running --json"), {
    isDefault: true,
  });
  group.addCommand(asAdminVerb(show, [], "granary jobs show 12"));
  group.addCommand(asAdminVerb(follow, ["quiet"], "granary jobs follow 12").addHelpText("after", CTRL_C));
  group.addCommand(asAdminVerb(stop, ["change"], "granary jobs stop 12"));
  return withExamples(group, ["granary jobs", "granary jobs follow 12"]);
}

async function runList(flags: AdminFlags & { readonly running?: boolean }, command: Command): Promise<void> {
  const query = { limit: 200, ...(flags.running === true && { state: "running" }) };
  const answer = await askServer(command, {}, (client) => client.get(jobListSchema, "/api/v1/jobs", query));
  if (flags.json === true) return printJson(answer);
  if (answer.items.length === 0) return printLine("There are no jobs.");
  for (const line of table(answer.items)) printLine(line);
}

async function runShow(id: string, flags: AdminFlags, command: Command): Promise<void> {
  const job = await askServer(command, {}, (client) => client.get(jobSchema, pathOf(id)));
  if (flags.json === true) printJson(job);
  else printLine(formatFacts(factsOf(job), columnsOfOutput()));
}

async function runFollow(id: string, flags: AdminFlags, command: Command): Promise<void> {
  await askServer(command, {}, async (client) => {
    const job = await followJob(client, await client.get(jobSchema, pathOf(id)), flags);
    if (job === undefined) return;
    if (flags.json === true) printJson(job);
    else printLine(formatFacts(factsOf(job), columnsOfOutput()));
    if (job.state !== "done") process.exitCode = 1;
  });
}

async function runStop(id: string, { dryRun, json }: AdminFlags, command: Command): Promise<void> {
  const question = { method: "POST", path: `${pathOf(id)}/stop`, query: { dryRun } } as const;
  const answer = await askServer(command, {}, (client) => client.ask(stoppedSchema, question));
  if (json === true) return printJson(answer);
  const { job } = answer;
  if (dryRun === true)
    printLine(job.state === "running" ? `Would stop: ${job.title}.` : `It has ended already: ${job.state}.`);
  else printLine(`Job ${job.id} was asked to stop: ${job.title}.`);
}

function pathOf(id: string): string {
  if (/^[1-9]\d{0,14}$/.test(id)) return `/api/v1/jobs/${id}`;
  throw misused(`"${id.slice(0, 40)}" is no job: expected its number, as granary jobs list shows it.`);
}

function table(jobs: readonly JobBrief[]): string[] {
  const rows = jobs.map((job) => [
    String(job.id),
    job.state,
    timeText(job.startedAt),
    amountOf(job),
    job.title,
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** "41% of 1.2 GiB, 3 of 7". */
function amountOf({ progress: { bytes, things } }: Pick<JobBrief, "progress">): string {
  const share = bytes.total === 0 ? 0 : Math.floor((100 * bytes.done) / bytes.total);
  const amount = bytes.total === 0 ? "" : `${share}% of ${formatBytes(bytes.total)}`;
  const count = things.total === 0 ? "" : `${things.done} of ${things.total}`;
  return [amount, count].filter((part) => part !== "").join(", ");
}

function factsOf(job: Job): Fact[] {
  const { id, title, state, reason, startedAt, endedAt, notes, result } = job;
  const took = endedAt === undefined ? "" : `, for ${formatDuration(Math.max(0, endedAt - startedAt))}`;
  return [
    ["Job", `${id}, ${title}`],
    ["State", `${state}${reason === undefined ? "" : `: ${reason}`}`],
    ["Begun", `${timeText(startedAt)}${took}`],
    ["Progress", amountOf(job)],
    ["Said", notes],
    ["Result", result === undefined ? [] : formatJson(result).split("\n").slice(0, 200)],
  ];
}
