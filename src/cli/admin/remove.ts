/** Owns `granary remove`: what a pattern stands for leaves the store; what others share stays. */
import { Command } from "commander";
import { formatBytes } from "../../bytes/units.ts";
import { type RemovedAnswer, removedSchema } from "../../http/admin/routes/contents-routes.ts";
import { printJson, printLine } from "../output.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";
import { counted, nameWords } from "./content-words.ts";
import { PATTERN_HELP } from "./pattern-help.ts";

type RemoveFlags = AdminFlags & { readonly unusedFor?: string; readonly force?: boolean };

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
    .action(run);
  return asAdminVerb(
    command,
    ["change", "alone"],
    "granary remove alpine:3.19 --dry-run",
    "granary remove '*' --unused-for 90d",
  );
}

async function run(pattern: string, flags: RemoveFlags, command: Command): Promise<void> {
  const { dryRun, unusedFor, force = false, json } = flags;
  const body = { pattern, force, ...(unusedFor !== undefined && { unusedFor }) };
  const path = "/api/v1/contents/remove";
  const removed = await askServer(command, { alone: true }, (client) =>
    client.ask(removedSchema, { method: "POST", path, query: { dryRun }, body }),
  );
  if (json === true) printJson(removed);
  else for (const line of linesOf(removed)) printLine(line);
}

function linesOf({ repositories, kept, blobs, freed, later, dryRun }: RemovedAnswer): string[] {
  if (repositories.length === 0 && kept.length === 0)
    return ["Nothing is as old as that: nothing was removed."];
  const names = repositories.flatMap(namesOf);
  const stays = kept.map(({ name, rule }) => `${name} stays: ${rule} is kept`);
  const verb = dryRun === true ? "Would remove" : "Removed";
  const wait = later > 0 ? `, ${formatBytes(later)} of them when nobody reads it any more` : "";
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
