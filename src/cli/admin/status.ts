/** Owns `granary status`: what a running Granary does now, on one screen. */
import { Command } from "commander";
import { formatBytes, formatDuration } from "../../bytes/units.ts";
import { type Status, statusSchema } from "../../http/admin/routes/status-routes.ts";
import { type Fact, formatFacts } from "../facts.ts";
import { columnsOfOutput, printJson, printLine } from "../output.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";

export function statusCommand(): Command {
  const command = new Command("status")
    .description("Say what a running Granary does now: transfers, upstreams, disk, and what is wrong.")
    .action(run);
  return asAdminVerb(command, [], "granary status", "granary status --directory /srv/granary --json");
}

async function run(flags: AdminFlags, command: Command): Promise<void> {
  await askServer(command, {}, async (client) => {
    const status = await client.get(statusSchema, "/api/v1/status");
    if (flags.json === true) printJson(status);
    else printLine(formatFacts(factsOf(status, client.where), columnsOfOutput()));
  });
}

function factsOf(status: Status, where: string): Fact[] {
  const { version, startedAt, now, fills, upstreams, troubles } = status;
  const uptime = formatDuration(Math.max(0, now - startedAt));
  return [
    ["Granary", `${version}, up for ${uptime}, ${where}`],
    ["Disk", diskLine(status)],
    ["Stored", `${counted(status.blobs, "blob")}, ${counted(status.manifests, "manifest")}`],
    ["Upstreams", upstreams.flatMap((upstream) => upstreamLines(upstream, now)).concat(inOrder(upstreams))],
    ["Transfers", fills.length === 0 ? "none" : fills.map(fillLine)],
    ["Trouble", troubles.length === 0 ? "none" : troubles],
  ];
}

function diskLine({ disk: { used, budget, free } }: Status): string {
  const share = budget > 0 ? Math.round((100 * used) / budget) : 100;
  return `${formatBytes(used)} of ${formatBytes(budget)} used (${share}%), ${formatBytes(free)} of the disk free`;
}

type UpstreamState = Status["upstreams"][number];

/** What is worth a line of its own: trouble, and a budget of pulls. */
function upstreamLines(
  { name, circuit, retryAt, reason, offlineSince, rateLimit }: UpstreamState,
  now: number,
): string[] {
  if (offlineSince !== undefined) {
    const forMs = formatDuration(Math.max(0, now - offlineSince));
    return [`${name} is set offline, for ${forMs} now (granary offline off ${name})`];
  }
  const { limit, remaining } = rateLimit ?? {};
  const budget = limit === undefined ? "" : `${remaining ?? 0} of ${limit} pulls left`;
  if (circuit === "closed") return budget === "" ? [] : [`${name}: ${budget}`];
  const again = retryAt === undefined ? "" : `, asked again in ${formatDuration(Math.max(0, retryAt - now))}`;
  const why = reason === undefined ? "" : `: ${reason}`;
  return [`${name} ${circuit === "open" ? "is down" : "is being tried"}${again}${why}`];
}

function inOrder(upstreams: readonly UpstreamState[]): string[] {
  const working = upstreams.filter(
    ({ circuit, offlineSince }) => circuit === "closed" && offlineSince === undefined,
  ).length;
  const all = upstreams.length;
  return working === all ? [`all ${all} in order`] : [`${working} of ${all} in order`];
}

function fillLine(fill: Status["fills"][number]): string {
  const { digest, upstream, present, size, readers, heldForMs } = fill;
  const state =
    heldForMs === undefined ? fill.state : `held for ${formatDuration(heldForMs)}, others go first`;
  const share = size === 0 ? "" : `${String(Math.floor((100 * present) / size)).padStart(3)}% `;
  const amount = `${formatBytes(present)} of ${formatBytes(size)}`;
  return `${share}${amount} of ${digest.slice(0, 19)} from ${upstream}, ${state}, ${counted(readers, "reader")}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
