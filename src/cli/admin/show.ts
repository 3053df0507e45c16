/** Owns `granary show`: one repository or tag with its images, their layers, which part of each is here, and who pulled it. */
import { Command } from "commander";
import { formatBytes } from "../../bytes/units.ts";
import type { ShownAnswer } from "../../http/admin/routes/contents-routes.ts";
import { NO_PLATFORM } from "../../mirror/contents/content-parts.ts";
import { type Fact, formatFacts } from "../facts.ts";
import { columnsOfOutput, printJson, printLine } from "../output.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";
import { amountWords, counted, hereWords, nameWords, usedWords } from "./content-words.ts";
import { type RowColumn, tableLines } from "./row-table.ts";
import { fillMap } from "./top/fill-map.ts";

const shownSchema = async () => (await import("../../http/admin/routes/contents-routes.ts")).shownSchema;

type ShownName = ShownAnswer["names"][number];
type Image = ShownName["images"][number];

/** Digests are shortened as engines do: "sha256:" and 12 digits. */
const SHORT = 19;

export function showCommand(): Command {
  const command = new Command("show")
    .argument(
      "<reference>",
      "a repository or one of its tags: alpine, alpine:3.22, ghcr.io/org/app, ollama:llama3.2",
    )
    .description(
      "Show what is stored under one name: its tags, platforms and layers, which part of each is here, and who pulled it when.",
    )
    .action(run);
  return asAdminVerb(command, ["alone"], "granary show alpine", "granary show alpine:3.22 --json");
}

async function run(reference: string, { json }: AdminFlags, command: Command): Promise<void> {
  const shown = await askServer(command, { alone: true }, (client) =>
    client.get(shownSchema, "/api/v1/contents/show", { reference }),
  );
  if (json === true) return printJson(shown);
  for (const block of blocksOf(shown, Date.now())) printLine(`${block}\n`);
}

/** With one name its layers are shown, with several what each has. */
function blocksOf(shown: ShownAnswer, now: number): string[] {
  const { names, more, pulls } = shown;
  const [only] = names;
  const isOne = names.length === 1 && only !== undefined;
  const facts = formatFacts(factsOf(shown, isOne ? only : undefined, now), columnsOfOutput());
  const tables = isOne ? only.images.map(imageBlock) : [tableLines(names, nameColumns(now)).join("\n")];
  const rest = more > 0 ? [`and ${counted(more, "more name")}: granary list shows them.`] : [];
  const pulled = tableLines(pulls, pullColumns(now)).join("\n");
  return [facts, ...tables, ...rest, pulled].filter((block) => block !== "");
}

function factsOf(shown: ShownAnswer, only: ShownName | undefined, now: number): Fact[] {
  const { upstream, repository, saved, usedAt } = shown;
  const name = nameWords({ upstream, repository, tag: only?.tag, digest: only?.digest });
  return [
    ["Name", name],
    ["Digest", only?.tag === undefined ? undefined : only.digest],
    ["Here", amountWords(only ?? shown)],
    ["Used", usedWords(only?.usedAt ?? usedAt, now)],
    ["Checked", usedWords(only?.checkedAt, now)],
    [
      "Saved",
      saved === undefined || saved <= 0 ? undefined : `${formatBytes(saved)} that did not cross the internet`,
    ],
    ["Kept by", only?.keptBy],
  ];
}

function nameColumns(now: number): RowColumn<ShownName>[] {
  return [
    { head: "SIZE", isNumber: true, value: ({ size, partial }) => formatBytes(size + partial) },
    { head: "HERE", isNumber: true, value: hereWords },
    { head: "USED", isNumber: true, value: ({ usedAt }) => usedWords(usedAt, now) },
    { head: "PLATFORMS", value: platformsOf },
    { head: "TAG", value: ({ tag, digest }) => tag ?? `@${digest.slice(0, SHORT)}` },
  ];
}

/** Those of which something is here. */
function platformsOf({ images }: ShownName): string {
  const here = images.filter(({ size, partial }) => size + partial > 0);
  const platforms = here.flatMap(({ platform = NO_PLATFORM }) => (platform === NO_PLATFORM ? [] : platform));
  return platforms.length > 3 ? `${platforms.length} platforms` : platforms.join(" ");
}

function imageBlock({ platform = "this image", digest, isStored, parts, ...share }: Image): string {
  const what = platform === NO_PLATFORM ? "what its builder attests" : platform;
  const head = `${what}  ${digest.slice(0, SHORT)}`;
  if (!isStored) return `${head}: nobody asked for it yet`;
  return [
    `${head}: ${amountWords(share)}`,
    ...tableLines(parts, columnsFor(parts)).map((line) => `  ${line}`),
  ].join("\n");
}

type Part = Image["parts"][number];

const MAP_WIDTH = 42;

/** With the map of what is here in part, as `top` draws it. */
function columnsFor(parts: readonly Part[]): readonly RowColumn<Part>[] {
  if (!parts.some(({ runs }) => runs !== undefined)) return PART_COLUMNS;
  return [...PART_COLUMNS, { head: "MAP (# here, + in part, . not yet)", value: mapOf }];
}

function mapOf({ size, runs, cells }: Part): string | undefined {
  if (size === undefined || runs === undefined) return undefined;
  return fillMap({ size, runs, cells, lanesAt: [], readersAt: [] }, MAP_WIDTH);
}

const PART_COLUMNS: readonly RowColumn<Part>[] = [
  { head: "SIZE", isNumber: true, value: ({ size }) => (size === undefined ? "?" : formatBytes(size)) },
  {
    head: "HERE",
    isNumber: true,
    value: ({ size, present }) => hereWords({ size: present, partial: 0, wanted: size ?? present }) || "none",
  },
  { head: "ROLE", value: ({ role }) => role },
  { head: "DIGEST", value: ({ digest }) => digest.slice(0, SHORT) },
];

function pullColumns(now: number): RowColumn<ShownAnswer["pulls"][number]>[] {
  return [
    { head: "PULLED", isNumber: true, value: ({ begunAt }) => usedWords(begunAt, now) },
    { head: "SENT", isNumber: true, value: ({ served }) => formatBytes(served) },
    { head: "STATE", value: ({ state }) => state },
    { head: "PLATFORM", value: ({ platform }) => platform },
    { head: "TAG", value: ({ tag }) => tag },
    { head: "BY", value: ({ client }) => client ?? "(not kept)" },
  ];
}
