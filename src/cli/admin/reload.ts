/** Owns `granary reload`: a running server uses what its settings say now, and the command says what that changes. */
import { Command } from "commander";
import type { ReloadAnswer } from "../../http/admin/routes/reload-routes.ts";
import { formatFacts } from "../facts.ts";
import { columnsOfOutput, printJson, printLine } from "../output.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";

const reloadSchema = async () => (await import("../../http/admin/routes/reload-routes.ts")).reloadSchema;

export function reloadCommand(): Command {
  const command = new Command("reload")
    .description(
      "Make a running Granary use what its settings say now. Bad settings change nothing; pulls in flight go on.",
    )
    .action(run);
  return asAdminVerb(command, ["change"], "granary reload --dry-run", "granary reload --json");
}

async function run({ dryRun, json }: AdminFlags, command: Command): Promise<void> {
  const path = "/api/v1/settings/reload";
  const answer = await askServer(command, {}, (client) =>
    client.ask(reloadSchema, { method: "POST", path, query: { dryRun } }),
  );
  if (json === true) printJson(answer);
  else printLine(sayingOf(answer));
}

function sayingOf(answer: ReloadAnswer): string {
  const { applied, needRestart, notes, problems, dryRun } = answer;
  const isSame = applied.length === 0 && needRestart.length === 0;
  if (isSame && problems.length === 0) return "Nothing has changed in the settings.";
  const lines = (changes: ReloadAnswer["applied"]) => changes.map(({ key, change }) => `${key} (${change})`);
  return formatFacts(
    [
      [
        dryRun === true ? "Would be in use" : "In use now",
        applied.length === 0 ? "nothing new" : lines(applied),
      ],
      ["With that", notes],
      ["After a restart", lines(needRestart)],
      ["Cannot be used", problems],
    ],
    columnsOfOutput(),
  );
}
