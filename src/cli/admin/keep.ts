/** Owns `granary keep` and `granary unkeep`: what is never evicted, now and in the future. */
import { Command } from "commander";
import { formatBytes } from "../../bytes/units.ts";
import type { KeepChange, KeepRulesAnswer } from "../../http/admin/routes/keep-routes.ts";
import { printJson, printLine, tell } from "../output.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";
import { amountWords, counted } from "./content-words.ts";
import { PATTERN_HELP } from "./pattern-help.ts";
import { type RowColumn, tableLines } from "./row-table.ts";

const keepChangeSchema = async () =>
  (await import("../../http/admin/routes/keep-routes.ts")).keepChangeSchema;
const keepRulesSchema = async () => (await import("../../http/admin/routes/keep-routes.ts")).keepRulesSchema;

const PATH = "/api/v1/keep";

export function keepCommand(): Command {
  const command = new Command("keep")
    .argument("[pattern]", "what is kept from now on; without it, all rules are listed")
    .description(
      "Never evict what a pattern stands for, now and in the future. It counts against the budget; what can never fit is refused.",
    )
    .addHelpText("after", PATTERN_HELP)
    .action(runKeep);
  return asAdminVerb(command, ["change", "alone"], "granary keep alpine:3.* --dry-run", "granary keep");
}

export function unkeepCommand(): Command {
  const command = new Command("unkeep")
    .argument("<pattern>", "the pattern of a rule that granary keep lists")
    .description("Take a keep rule back. What it stood for goes by its age again, like anything else.")
    .action(runUnkeep);
  return asAdminVerb(command, ["change", "alone"], "granary unkeep 'alpine:3.*'");
}

async function runKeep(
  pattern: string | undefined,
  { dryRun, json }: AdminFlags,
  command: Command,
): Promise<void> {
  if (pattern === undefined) return await listRules(json === true, command);
  const made = await askServer(command, { alone: true }, (client) =>
    client.ask(keepChangeSchema, { method: "POST", path: PATH, query: { dryRun }, body: { pattern } }),
  );
  if (json === true) printJson(made);
  else printLine(`${made.dryRun === true ? "Would keep" : "Kept from now on:"} ${standsFor(made)}`);
}

async function runUnkeep(pattern: string, { dryRun, json }: AdminFlags, command: Command): Promise<void> {
  const taken = await askServer(command, { alone: true }, (client) =>
    client.ask(keepChangeSchema, { method: "DELETE", path: PATH, query: { dryRun, pattern } }),
  );
  if (json === true) printJson(taken);
  else
    printLine(`${taken.dryRun === true ? "Would no longer keep" : "Not kept any more:"} ${standsFor(taken)}`);
}

async function listRules(isJson: boolean, command: Command): Promise<void> {
  const answer = await askServer(command, { alone: true }, (client) => client.get(keepRulesSchema, PATH));
  if (isJson) return printJson(answer);
  for (const line of tableLines(answer.rules, COLUMNS)) printLine(line);
  if (answer.rules.length === 0) tell("Nothing is kept: what was used longest ago goes when room is needed.");
}

function standsFor(rule: KeepChange): string {
  if (rule.names === 0) return `${rule.pattern}. Nothing that is stored matches it yet.`;
  return `${rule.pattern}, now ${counted(rule.names, "name")} with ${amountWords(rule)}.`;
}

const COLUMNS: readonly RowColumn<KeepRulesAnswer["rules"][number]>[] = [
  { head: "SIZE", isNumber: true, value: ({ size, partial }) => formatBytes(size + partial) },
  { head: "NAMES", isNumber: true, value: ({ names }) => names.toString() },
  { head: "FROM", value: ({ from }) => from },
  { head: "PATTERN", value: ({ pattern }) => pattern },
];
