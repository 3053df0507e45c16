/** Owns `granary list`: what is stored, how much of it is here, when it was used and by whom. */
import { Command, Option } from "commander";
import { formatBytes } from "../../bytes/units.ts";
import type { ContentsAnswer } from "../../http/admin/routes/contents-routes.ts";
import { CONTENT_SORTS } from "../../mirror/contents/content-sorts.ts";
import { printJson, printLine, tell } from "../output.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";
import { hereWords, nameWords, usedWords } from "./content-words.ts";
import { PATTERN_HELP } from "./pattern-help.ts";
import { type RowColumn, tableLines } from "./row-table.ts";

const contentsSchema = async () =>
  (await import("../../http/admin/routes/contents-routes.ts")).contentsSchema;

type ListFlags = AdminFlags & {
  readonly sort?: string;
  readonly search?: string;
  readonly reverse?: boolean;
  readonly tags?: boolean;
  readonly limit?: string;
  readonly after?: string;
};

const COLUMNS_HELP = `
HERE is how much is here of all that the stored manifests list. SAVED is what clients got of the repository, less what was fetched for
it, as far as traffic was recorded (granary traffic): what was pulled before that, or imported and never pulled, saves nothing in it.`;

type Item = ContentsAnswer["items"][number];

export function listCommand(): Command {
  const command = new Command("list")
    .argument("[pattern]", "only what this stands for; with a tag in it, tag by tag")
    .description("List what is stored: how large, how much of it is here, when it was used last and by whom.")
    .addOption(
      new Option("--sort <order>", "what comes first: used last, largest, most saved, or by name")
        .choices([...CONTENT_SORTS])
        .default("used"),
    )
    .option("--reverse", "the other end of the order first: the smallest, what was used longest ago")
    .option("--search <text>", "only names that contain this")
    .option("--tags", "one line for each tag, and not for each repository")
    .option("--limit <count>", "lines at most, up to 1000 (default: 100)")
    .option("--after <next>", "go on after a page: the `next` of its JSON")
    .addHelpText("after", PATTERN_HELP)
    .addHelpText("after", COLUMNS_HELP)
    .action(run);
  return asAdminVerb(
    command,
    ["alone"],
    "granary list",
    "granary list 'alpine:*' --sort size",
    "granary list --json",
  );
}

async function run(pattern: string | undefined, flags: ListFlags, command: Command): Promise<void> {
  const { sort, search, reverse, limit, after, tags, json } = flags;
  const query = { pattern, sort, search, reverse, limit, after, ...(tags === true && { by: "tag" }) };
  const answer = await askServer(command, { alone: true }, (client) =>
    client.get(contentsSchema, "/api/v1/contents", query),
  );
  if (json === true) return printJson(answer);
  const { items, count } = answer;
  for (const line of tableLines(items, columnsAt(Date.now()))) printLine(line);
  if (items.length === 0) tell(search === undefined ? "Nothing is stored yet." : "No name contains that.");
  if (items.length < count)
    tell(
      `${items.length} of ${count} ${items.length === 1 ? "is" : "are"} shown: --limit shows more, a pattern or --search fewer.`,
    );
}

function columnsAt(now: number): RowColumn<Item>[] {
  return [
    { head: "SIZE", isNumber: true, value: ({ size, partial }) => formatBytes(size + partial) },
    { head: "HERE", isNumber: true, value: hereWords },
    { head: "TAGS", isNumber: true, value: ({ tags }) => tags?.toString() },
    { head: "USED", isNumber: true, value: ({ usedAt }) => usedWords(usedAt, now) },
    { head: "BY", value: ({ usedBy }) => usedBy },
    {
      head: "SAVED",
      isNumber: true,
      value: ({ saved = 0, digest }) => (saved > 0 && digest === undefined ? formatBytes(saved) : ""),
    },
    { head: "KEPT", value: ({ keptBy }) => (keptBy === undefined ? "" : "yes") },
    { head: "NAME", value: nameWords },
  ];
}
