/** Owns `granary status`: what a running Granary does now, on one screen. */
import { Command } from "commander";
import { formatBytes, formatDuration } from "../../bytes/units.ts";
import type { Status } from "../../http/admin/routes/status-routes.ts";
import { type Fact, formatFacts } from "../facts.ts";
import { formatMoment } from "../moment.ts";
import { columnsOfOutput, printJson, printLine } from "../output.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";
import { briefWords } from "./fleet-words.ts";
import { budgetWords, failureWords, latencyWords } from "./upstream-words.ts";

const statusSchema = async () => (await import("../../http/admin/routes/status-routes.ts")).statusSchema;

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
  const next = (status.disk.next ?? []).slice(0, MOST_NEXT).map((victim) => nextLine(victim, now));
  const uptime = formatDuration(Math.max(0, now - startedAt));
  return [
    ["Granary", `${version}, up for ${uptime}, ${where}`],
    ["Disk", diskLine(status)],
    ...(next.length === 0 ? [] : [["Goes next", next] as const]),
    ["Stored", `${counted(status.blobs, "blob")}, ${counted(status.manifests, "manifest")}`],
    ["Upstreams", upstreams.flatMap((upstream) => upstreamLines(upstream, now)).concat(inOrder(upstreams))],
    ["Fleet", status.fleet && briefWords(status.fleet, now)],
    ["Transfers", fills.length === 0 ? "none" : fills.map(fillLine)],
    ["Trouble", troubles.length === 0 ? "none" : troubles],
  ];
}

function diskLine({ disk: { used, budget, free } }: Status): string {
  const share = budget > 0 ? Math.round((100 * used) / budget) : 100;
  return `${formatBytes(used)} of ${formatBytes(budget)} used (${share}%), ${formatBytes(free)} of the disk free`;
}

const MOST_NEXT = 3;
const MOST_LATENCIES = 6;

/** What would be evicted, were room needed: "28MiB of docker.io/library/alpine, last used 3 days ago". */
function nextLine({ kind, what, size, usedAt, names: [name] }: Next, now: number): string {
  const of = name ?? (kind === "damaged" ? "a damaged file" : what.slice(0, 19));
  const used = usedAt === undefined ? "" : `, last used ${formatMoment(usedAt, now)}`;
  return `${formatBytes(size)} of ${of}${used}`;
}

type Next = NonNullable<Status["disk"]["next"]>[number];
type UpstreamState = Status["upstreams"][number];

/** What is worth a line of its own: trouble, and a budget of pulls. */
function upstreamLines(upstream: UpstreamState, now: number): string[] {
  const { name, circuit, retryAt, reason, offlineSince } = upstream;
  if (offlineSince !== undefined) {
    const forMs = formatDuration(Math.max(0, now - offlineSince));
    return [`${name} is set offline, for ${forMs} now (granary offline off ${name})`];
  }
  if (circuit === "closed") {
    const words = [budgetWords(upstream, now), failureWords(upstream)].filter((each) => each !== undefined);
    return words.length === 0 ? [] : [`${name}: ${words.join("; ")}`];
  }
  const again = retryAt === undefined ? "" : `, asked again in ${formatDuration(Math.max(0, retryAt - now))}`;
  const why = reason === undefined ? "" : `: ${reason}`;
  return [`${name} ${circuit === "open" ? "is down" : "is being tried"}${again}${why}`];
}

function inOrder(upstreams: readonly UpstreamState[]): string[] {
  const working = upstreams.filter(
    ({ circuit, offlineSince }) => circuit === "closed" && offlineSince === undefined,
  );
  const [count, all] = [working.length, upstreams.length];
  const asked = working.flatMap((upstream) => latencyWords(upstream) ?? []).slice(0, MOST_LATENCIES);
  const speed = asked.length === 0 ? "" : `; answers take ${asked.join(", ")}`;
  return [`${count === all ? `all ${all}` : `${count} of ${all}`} in order${speed}`];
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
