/** Owns `granary rules`, `granary allow` and `granary deny`: which images may pass, and what a change of that would mean. */
import { Command } from "commander";
import { formatDuration } from "../../bytes/units.ts";
import type { RuleChange, RuleView } from "../../http/admin/routes/passage-routes.ts";
import { printJson, printLine } from "../output.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";

const ruleChangeSchema = async () =>
  (await import("../../http/admin/routes/passage-routes.ts")).ruleChangeSchema;
const rulesSchema = async () => (await import("../../http/admin/routes/passage-routes.ts")).rulesSchema;

type ChangeFlags = AdminFlags & { readonly remove?: boolean };

export function rulesCommand(): Command {
  const command = new Command("rules")
    .description("List the rules about which images may pass, and where each comes from.")
    .action(list);
  return asAdminVerb(command, ["alone"], "granary rules --json");
}

export function allowCommand(): Command {
  const command = new Command("allow")
    .argument("<pattern>", "what may pass, such as alpine, alpine:3.* or ghcr.io/org/**")
    .description(
      "Allow what a pattern stands for. Then nothing else of its upstream passes, and deny still wins.",
    )
    .option("--remove", "take the rule back")
    .action((pattern: string, flags: ChangeFlags, self: Command) => change("allow", pattern, flags, self));
  const examples = ["granary allow 'ghcr.io/org/**' --dry-run", "granary allow alpine --remove"];
  return asAdminVerb(command, ["change", "alone"], ...examples);
}

export function denyCommand(): Command {
  const command = new Command("deny")
    .argument("<pattern>", "what may not pass, such as org/app, alpine:3.1* or '*@sha256:...'")
    .description("Refuse what a pattern stands for from now on, also where it is stored.")
    .option("--remove", "take the rule back")
    .action((pattern: string, flags: ChangeFlags, self: Command) => change("deny", pattern, flags, self));
  const examples = ["granary deny 'docker.io/evil/**' --dry-run", "granary deny alpine:3.1 --remove"];
  return asAdminVerb(command, ["change", "alone"], ...examples);
}

async function list({ json }: AdminFlags, command: Command): Promise<void> {
  const answer = await askServer(command, { alone: true }, (client) =>
    client.get(rulesSchema, "/api/v1/rules"),
  );
  if (json === true) return printJson(answer);
  const { items, cooldowns } = answer;
  if (items.length === 0) printLine("Everything may pass: nothing is denied, and nothing is singled out.");
  for (const rule of items) printLine(lineOf(rule));
  for (const { upstream, cooldownMs } of cooldowns)
    printLine(`What is new from ${upstream} waits ${formatDuration(cooldownMs)} (settings).`);
}

function lineOf({ kind, pattern, from, madeAt }: RuleView): string {
  const since = madeAt === undefined ? "settings" : `by command, ${new Date(madeAt).toISOString()}`;
  return `${kind.padEnd(5)}  ${pattern}  (${from === "settings" ? "settings" : since})`;
}

async function change(
  kind: RuleView["kind"],
  pattern: string,
  { dryRun, json, remove = false }: ChangeFlags,
  command: Command,
): Promise<void> {
  const answer = await askServer(command, { alone: true }, (client) =>
    client.ask(ruleChangeSchema, {
      method: "POST",
      path: "/api/v1/rules",
      query: { dryRun },
      body: { kind, pattern, remove },
    }),
  );
  if (json === true) return printJson(answer);
  for (const line of linesOf(answer, remove)) printLine(line);
}

function linesOf(answer: RuleChange, isRemoval: boolean): readonly string[] {
  const { kind, pattern, changes, refused, passing, isCut, closed, dryRun } = answer;
  if (!changes) return [`There is such a rule already: ${kind} ${pattern}.`];
  const would = dryRun === true ? "would be " : "";
  const is = dryRun === true ? "would be" : "is";
  const taken = isRemoval ? `${would}taken back` : `${would}made`;
  return [
    `${kind} ${pattern}: ${taken}.`,
    ...closed.map((upstream) => `Of ${upstream} nothing ${is} let through any more but what is allowed.`),
    ...listed(`Stored, and ${would}refused:`, refused),
    ...listed(`Stored, and ${would}let through again:`, passing),
    ...(isCut ? ["... and more."] : []),
  ];
}

function listed(heading: string, names: readonly string[]): readonly string[] {
  return names.length === 0 ? [] : [heading, ...names.map((name) => `  ${name}`)];
}
