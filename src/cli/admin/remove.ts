/** Owns `granary remove`: what a pattern stands for leaves the store; what others share stays. */
import { Command } from "commander";
import { formatBytes } from "../../bytes/units.ts";
import type { Job } from "../../http/admin/routes/jobs-routes.ts";
import type { RemovedAnswer } from "../../http/admin/routes/removing-routes.ts";
import { printJson, printLine, tell } from "../output.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";
import { counted, nameWords } from "./content-words.ts";
import { CTRL_C, failureOf, followJob } from "./follow-job.ts";
import { PATTERN_HELP } from "./pattern-help.ts";

const removeAnswerSchema = async () =>
  (await import("../../http/admin/routes/removing-routes.ts")).removeAnswerSchema;
const removedByJobSchema = async () =>
  (await import("../../http/admin/routes/removing-routes.ts")).removedByJobSchema;

type RemoveFlags = AdminFlags & {
  readonly unusedFor?: string;
  readonly force?: boolean;
  readonly quiet?: boolean;
};

const BULK = `
Much is removed by a job, repository by repository, and followed until it ends; a removal that was stopped keeps what it had not reached.`;

/** Names on the screen; --json has all. */
const MOST_SHOWN = 40;

export function removeCommand(): Command {
  const command = new Command("remove")
    .argument("<pattern>", "what is to leave: an image, a tag, a repository, everything below a name")
    .description(
      "Remove what a pattern stands for. Blobs that other names share stay; what is being read goes when its last reader has ended.",
    )
    .option("--unused-for <duration>", "only what nobody asked for in this time, such as 90d")
    .option("--force", "also what a keep rule stands for")
    .addHelpText("after", PATTERN_HELP)
    .addHelpText("after", `${BULK}${CTRL_C}`)
    .action(run);
  return asAdminVerb(
    command,
    ["change", "alone", "quiet"],
    "granary remove alpine:3.19 --dry-run",
    "granary remove '*' --unused-for 90d",
  );
}

async function run(pattern: string, flags: RemoveFlags, command: Command): Promise<void> {
  const { dryRun, unusedFor, force = false, json } = flags;
  const body = { pattern, force, ...(unusedFor !== undefined && { unusedFor }) };
  const path = "/api/v1/contents/remove";
  await askServer(command, { alone: true }, async (client) => {
    const answer = await client.ask(removeAnswerSchema, { method: "POST", path, query: { dryRun }, body });
    if ("job" in answer) {
      const job = await followJob(client, answer.job, flags);
      if (job !== undefined) await printRemovedBy(job, json === true);
    } else if (json === true) printJson(answer);
    else for (const line of linesOf(answer)) printLine(line);
  });
}

/** A job that was stopped has removed a part. */
async function printRemovedBy(job: Job, isJson: boolean): Promise<void> {
  const removed = (await removedByJobSchema()).safeParse(job.result).data;
  if (removed === undefined) throw failureOf(job);
  if (job.state !== "done") process.exitCode = 1;
  if (isJson) {
    printJson(job);
    return;
  }
  const { kept, more, names, blobs, freed, later } = removed;
  for (const line of shortened(kept.map(({ name, rule }) => `${name} stays: ${rule} is kept`)))
    printLine(line);
  if (more > 0) printLine(`and ${more} more stay`);
  printLine(
    `Removed ${counted(names, "name")} and ${counted(blobs, "blob")}: ${formatBytes(freed)} come free${waitWords(later)}.`,
  );
  if (job.state !== "done") tell(`granary: Job ${job.id} ${job.state}: ${job.reason ?? ""}`);
}

function waitWords(later: number): string {
  return later > 0 ? `, ${formatBytes(later)} of them when nobody reads it any more` : "";
}

function linesOf({ repositories, kept, blobs, freed, later, dryRun }: RemovedAnswer): string[] {
  if (repositories.length === 0 && kept.length === 0)
    return ["Nothing is as old as that: nothing was removed."];
  const names = repositories.flatMap(namesOf);
  const stays = kept.map(({ name, rule }) => `${name} stays: ${rule} is kept`);
  const verb = dryRun === true ? "Would remove" : "Removed";
  const wait = waitWords(later);
  return [
    ...shortened(names),
    ...shortened(stays),
    `${verb} ${counted(names.length, "name")} and ${counted(blobs, "blob")}: ${formatBytes(freed)} ${dryRun === true ? "would come" : "come"} free${wait}.`,
  ];
}

function namesOf({
  upstream,
  repository,
  isAll,
  tags,
  manifests,
}: RemovedAnswer["repositories"][number]): string[] {
  const name = nameWords({ upstream, repository });
  if (isAll)
    return [`${name} (all of it: ${counted(tags.length, "tag")}, ${counted(manifests.length, "manifest")})`];
  if (tags.length > 0) return tags.map((tag) => `${name}:${tag}`);
  if (manifests.length === 0) return [`${name} (what a digest names in it)`];
  return [`${name} (${counted(manifests.length, "manifest")} without a tag)`];
}

function shortened(lines: readonly string[]): string[] {
  const more = lines.length - MOST_SHOWN;
  return more > 1 ? [...lines.slice(0, MOST_SHOWN), `and ${more} more (--json has all)`] : [...lines];
}
