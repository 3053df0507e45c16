/** Owns `granary refresh`: tags count as old, and their upstreams are asked what they mean now. */
import { Command } from "commander";
import type { RefreshedAnswer } from "../../http/admin/routes/contents-routes.ts";
import { printJson, printLine } from "../output.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";
import { nameWords } from "./content-words.ts";
import { PATTERN_HELP } from "./pattern-help.ts";

const refreshedSchema = async () =>
  (await import("../../http/admin/routes/contents-routes.ts")).refreshedSchema;

const SHORT = 19;

export function refreshCommand(): Command {
  const command = new Command("refresh")
    .argument("<pattern>", "the tags that are asked for again")
    .description(
      "Forget that tags are fresh and ask their registries at once. What is stored stays until the answer is here.",
    )
    .addHelpText("after", PATTERN_HELP)
    .action(run);
  return asAdminVerb(
    command,
    ["change"],
    "granary refresh alpine:latest",
    "granary refresh 'ghcr.io/org/**' --dry-run",
  );
}

async function run(pattern: string, { dryRun, json }: AdminFlags, command: Command): Promise<void> {
  const path = "/api/v1/contents/refresh";
  const answer = await askServer(command, {}, (client) =>
    client.ask(refreshedSchema, { method: "POST", path, query: { dryRun }, body: { pattern } }),
  );
  if (json === true) printJson(answer);
  else
    for (const tag of answer.tags) printLine(`${nameWords(tag)}: ${sayingOf(tag, answer.dryRun === true)}`);
  if (answer.tags.some(({ now, reason }) => now === undefined && reason !== undefined)) process.exitCode = 1;
}

function sayingOf({ before, now, reason }: RefreshedAnswer["tags"][number], dryRun: boolean): string {
  if (dryRun) return `would be asked for again; it means ${before.slice(0, SHORT)} now`;
  if (now === undefined) return `could not be asked for: ${reason ?? "no answer"}`;
  return now === before ? "has not moved" : `moved from ${before.slice(0, SHORT)} to ${now.slice(0, SHORT)}`;
}
