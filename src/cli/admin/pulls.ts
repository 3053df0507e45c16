/** Owns `granary pulls`: who pulls and pulled what, and how it went. */
import { Command, Option } from "commander";
import { formatBytes, formatDuration } from "../../bytes/units.ts";
import { PULL_STATES } from "../../http/admin/query-words.ts";
import type { PullItem } from "../../http/admin/routes/pull-routes.ts";
import { systemClock } from "../../observe/clock.ts";
import { lineCount } from "../line-count.ts";
import { formatMoment } from "../moment.ts";
import { printJson, printLine } from "../output.ts";
import { formatTable } from "../table.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";

const pullsSchema = async () => (await import("../../http/admin/routes/pull-routes.ts")).pullsSchema;

type PullsFlags = AdminFlags & {
  readonly state?: PullItem["state"];
  readonly client?: string;
  readonly limit: number;
  readonly after?: string;
};

const COLUMNS = [
  { title: "WHEN" },
  { title: "STATE" },
  { title: "SERVED", align: "right" },
  { title: "TOOK", align: "right" },
  { title: "CLIENT" },
  { title: "WITH" },
  { title: "WHAT" },
] as const;

export function pullsCommand(): Command {
  const command = new Command("pulls")
    .description("List who pulls and pulled what, newest first.")
    .addOption(new Option("--state <state>", "only those that are so").choices(PULL_STATES))
    .option("--client <address>", "only those of one address")
    .option("--limit <number>", "so many, at most 1000", lineCount, 30)
    .option("--after <id>", "what follows after this one: the next of --json")
    .action(run);
  const examples = [
    "granary pulls",
    "granary pulls --state failed",
    "granary pulls --client 192.168.1.20 --json",
  ];
  return asAdminVerb(command, ["alone"], ...examples).addHelpText("after", UNKNOWN);
}

const UNKNOWN = `
A pull is what a client asked for of one image or model within a short time. Which blobs a client had already is not known; machines behind
one address that call themselves the same cannot be told apart, and where bytes were asked for twice, --json says isRepeated.`;

async function run(flags: PullsFlags, command: Command): Promise<void> {
  const { state, client: address, limit, after } = flags;
  const answer = await askServer(command, { alone: true }, (client) =>
    client.get(pullsSchema, "/api/v1/pulls", { state, client: address, limit, after }),
  );
  if (flags.json === true) return printJson(answer);
  if (answer.items.length === 0) return printLine("No pulls yet.");
  printLine(
    formatTable(
      COLUMNS,
      answer.items.map((item) => rowOf(item, systemClock.now())),
    ),
  );
  if (answer.next !== undefined) printLine(`There are more: --after ${answer.next} lists what follows.`);
}

function rowOf(item: PullItem, now: number): string[] {
  const { begunAt, state, served, tookMs, client = "", agent } = item;
  return [
    formatMoment(begunAt, now),
    state,
    formatBytes(served),
    formatDuration(tookMs),
    client,
    agent,
    nameOf(item),
  ];
}

/** "docker.io/library/alpine:3 (linux/arm64)", with the reason where it failed. */
function nameOf({ upstream, repository, tag, digest, platform, reason }: PullItem): string {
  const end = tag !== undefined ? `:${tag}` : digest === undefined ? "" : `@${digest}`;
  const name = `${upstream}/${repository}${end}`;
  return (
    [name, ...(platform === undefined ? [] : [`(${platform})`])].join(" ") +
    (reason === undefined ? "" : `: ${reason}`)
  );
}
