/** Owns `granary bandwidth`: the limits that hold and what flows, and a limit for a while. */
import { Command } from "commander";
import { formatBytes, parseDuration, parseRate } from "../../bytes/units.ts";
import { isGranaryError } from "../../errors.ts";
import { misused } from "../exit-code.ts";
import { type Fact, formatFacts } from "../facts.ts";
import { columnsOfOutput, printJson, printLine } from "../output.ts";
import type { AnswerOf } from "./admin-client.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";

const bandwidthChangeSchema = async () =>
  (await import("../../http/admin/routes/bandwidth-routes.ts")).bandwidthChangeSchema;
const bandwidthSchema = async () =>
  (await import("../../http/admin/routes/bandwidth-routes.ts")).bandwidthSchema;

type Flags = AdminFlags & { readonly for?: string };

export function bandwidthCommand(): Command {
  const command = new Command("bandwidth")
    .description(
      "Show the limits of bandwidth and what flows; or limit what is fetched, until it is taken back with off, or for a while. Clients that wait go first.",
    )
    .argument("[limit]", "a rate such as 5MB/s or 40Mbit/s, unlimited, or off: what the settings say")
    .argument("[upstream]", "such as docker.io; all together when left out")
    .option("--for <duration>", "how long, such as 2h; until it is taken back when left out")
    .action(run);
  const examples = [
    "granary bandwidth",
    "granary bandwidth 5MB/s docker.io --for 2h",
    "granary bandwidth off",
  ];
  return asAdminVerb(command, ["change"], ...examples);
}

async function run(
  limit: string | undefined,
  upstream: string | undefined,
  flags: Flags,
  command: Command,
): Promise<void> {
  const path = "/api/v1/bandwidth";
  const { dryRun, json } = flags;
  if (limit === undefined && (dryRun === true || flags.for !== undefined))
    throw misused("--dry-run and --for go with a limit, such as 5MB/s.");
  if (limit === "off" && flags.for !== undefined) throw misused("--for goes with a limit, such as 5MB/s.");
  const forMs = flags.for === undefined ? undefined : read(() => parseDuration(flags.for ?? ""));
  const asked = limit === undefined || limit === "off" ? limit : rateOf(limit);
  await askServer(command, {}, async (client) => {
    if (asked === undefined) {
      const answer = await client.get(bandwidthSchema, path);
      if (json === true) printJson(answer);
      else printLine(formatFacts(factsOf(answer), columnsOfOutput()));
      return;
    }
    const body = {
      limit: asked,
      ...(upstream !== undefined && { upstream }),
      ...(forMs !== undefined && { forMs }),
    };
    const answer = await client.ask(bandwidthChangeSchema, { method: "POST", path, query: { dryRun }, body });
    if (json === true) printJson(answer);
    else printLine(sayingOf(answer));
  });
}

function rateOf(text: string): number | "unlimited" {
  const rate = read(() => parseRate(text));
  return Number.isFinite(rate) ? rate : "unlimited";
}

/** What cannot be read is a misuse of the command, not of a configuration. */
function read(parse: () => number): number {
  try {
    return parse();
  } catch (error) {
    throw isGranaryError(error) ? misused(error.message) : error;
  }
}

type Change = AnswerOf<typeof bandwidthChangeSchema>;
type Temporary = Change["set"][number];

function factsOf({ total, upstreams, temporary, flows }: AnswerOf<typeof bandwidthSchema>): Fact[] {
  const limits = Object.entries(upstreams).map(([name, rate]) => `${name}: ${formatBytes(rate)} per second`);
  const flowing = Object.entries(flows).map(([name, rate]) => `${name}: ${formatBytes(rate)} per second`);
  return [
    ["Limit in all", total === undefined ? "none" : `${formatBytes(total)} per second`],
    ["Limits", limits.length === 0 ? "none" : limits],
    ["By command", temporary.length === 0 ? "none" : temporary.map(lineOf)],
    ["Flows now", flowing.length === 0 ? "nothing" : flowing],
  ];
}

function lineOf({ upstream, bytesPerSecond, until }: Temporary): string {
  const whose = upstream ?? "all upstreams together";
  const rate = bytesPerSecond === undefined ? "no limit" : `${formatBytes(bytesPerSecond)} per second`;
  return `${whose}: ${rate}${until === undefined ? "" : ` until ${new Date(until).toISOString()}`}`;
}

function sayingOf({ set, takenBack, dryRun }: Change): string {
  const [set1] = set;
  const would = dryRun === true ? "Would hold" : "Holds now";
  if (set1 !== undefined) return `${would}: ${lineOf(set1)}.`;
  if (takenBack.length === 0) return "No limit was set by command; the settings hold.";
  const taken = dryRun === true ? "Would be taken back" : "Taken back";
  return `${taken}: ${takenBack.map(lineOf).join("; ")}. The settings hold.`;
}
