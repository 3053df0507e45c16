/**
 * Owns what `granary top` shows of one snapshot: rates, transfers with their maps, clients and their pulls, upstreams, trouble; as wide as the
 * screen is, and no longer than it where it has a height. Pure.
 */
import { formatBytes, formatDuration } from "../../../bytes/units.ts";
import type { Status } from "../../../http/admin/routes/status-routes.ts";
import { visibleLine } from "../../../observe/visible-text.ts";
import { clockTime } from "../../progress-display.ts";
import { budgetWords, failureWords, latencyWords } from "../upstream-words.ts";
import { fillMap, MAP_LEGEND } from "./fill-map.ts";

export type Screen = {
  readonly columns: number;
  /** Infinity where nothing is drawn over. */
  readonly rows: number;
};

/** Where the Granary is, and the snapshot before, for rates. */
export type Seen = { readonly where: string; readonly before: Status | undefined };

type Section = { readonly title: string; readonly lines: readonly string[]; readonly isNeeded?: boolean };

/** Lines without any character that a terminal would obey, each shorter than the screen is wide. */
export function topScreen(status: Status, seen: Seen, { columns, rows }: Screen): string[] {
  const width = Math.max(20, columns - 1);
  const sections = [
    { title: "Transfers", lines: status.fills.flatMap((fill) => fillLines(fill, status.now, width)) },
    { title: "Pulls", lines: status.pulls.map((pull) => pullLine(pull, status.now, width)) },
    { title: "Upstreams", lines: upstreamLines(status) },
    { title: "Trouble", lines: status.troubles },
  ];
  const head = headLines(status, seen);
  const lines = [...head, ...fitted(sections, rows - head.length)];
  return lines.map((line) => cut(visibleLine(line), width));
}

function headLines(status: Status, { where, before }: Seen): string[] {
  const { version, startedAt, now, traffic, disk } = status;
  const seconds = before === undefined ? 0 : (now - before.now) / 1000;
  const rate = (key: "served" | "fetched") =>
    before === undefined || seconds <= 0
      ? ""
      : `${formatBytes(Math.max(0, Math.round((traffic.all[key] - before.traffic.all[key]) / seconds)))}/s, `;
  const share = disk.budget > 0 ? ` (${Math.round((100 * disk.used) / disk.budget)}%)` : "";
  return [
    `Granary ${version}, up for ${formatDuration(Math.max(0, now - startedAt))}, ${where}`,
    `To clients    ${rate("served")}${formatBytes(traffic.today.served)} today`,
    `From upstream ${rate("fetched")}${formatBytes(traffic.today.fetched)} today`,
    `Saved         ${signed(traffic.today.saved)} today, ${signed(traffic.all.saved)} in all`,
    `Disk          ${formatBytes(disk.used)} of ${formatBytes(disk.budget)}${share}${nextOf(status)}`,
  ];
}

/** ", next to go: 28MiB of docker.io/library/alpine": what would be evicted first. */
function nextOf({ disk: { next = [] } }: Status): string {
  const [first] = next;
  if (first === undefined) return "";
  return `, next to go: ${formatBytes(first.size)} of ${first.names[0] ?? first.what.slice(0, 19)}`;
}

function signed(bytes: number): string {
  return bytes < 0 ? `-${formatBytes(-bytes)}` : formatBytes(bytes);
}

type Fill = Status["fills"][number];

/** What it is, how far, and its map on a line of its own. */
function fillLines(fill: Fill, now: number, width: number): string[] {
  const { present, size, bytesPerSecond, upstream, readers, state, purpose } = fill;
  const share = size === 0 ? "" : `${Math.floor((100 * present) / size)}% of `;
  const left =
    bytesPerSecond > 0 && present < size
      ? `, ${clockTime((1000 * (size - present)) / bytesPerSecond)} left`
      : "";
  const who = purpose === "waited" || purpose === "ahead" ? `${readers} waiting` : purpose;
  const words = [
    `${share}${formatBytes(size)}${left}`,
    `${formatBytes(Math.round(bytesPerSecond))}/s`,
    who,
    ...(state === "filling" ? [] : [state]),
    upstream,
    formatDuration(Math.max(0, now - fill.begunAt)),
  ];
  const map = fillMap(fill, Math.min(width - 2, 100));
  return [`  ${nameOf(fill)}  ${words.join("  ")}`, ...(map === "" ? [] : [`  ${map}`])];
}

/** The image that it is for, where that is known. */
function nameOf({ serves: [first], digest, role }: Fill): string {
  const short = digest.slice(0, 19);
  if (first === undefined) return short;
  const name = `${first.repository}${first.tag === undefined ? "" : `:${first.tag}`}`;
  return role === "layer" || role === "model" || role === "config" ? `${name} (${role})` : name;
}

type Pull = Status["pulls"][number];

function pullLine(
  { client, agent, repository, tag, platform, served, size, begunAt, bytesPerSecond, waiting }: Pull,
  now: number,
  width: number,
) {
  const amount = size === null ? formatBytes(served) : `${formatBytes(served)} of ${formatBytes(size)}`;
  const name = `${repository}${tag === null ? "" : `:${tag}`}`;
  const age = formatDuration(Math.max(0, now - begunAt));
  const wide = width >= 100 && platform !== null ? `  ${platform}` : "";
  const rate = bytesPerSecond > 0 ? `  ${formatBytes(Math.round(bytesPerSecond))}/s` : "";
  const waits = waiting > 0 && bytesPerSecond === 0 ? "  waiting" : "";
  return `  ${client ?? "somebody"}  ${agent}  ${name}${wide}  ${amount}${rate}${waits}  ${age}`;
}

/** Trouble and budgets first; those that work are one line. */
function upstreamLines({ upstreams, now }: Status): string[] {
  const working = upstreams.filter(
    (upstream) => upstream.circuit === "closed" && wordsOf(upstream, now).length === 0,
  );
  const told = upstreams
    .filter((upstream) => !working.includes(upstream))
    .map((upstream) => {
      const { name, circuit, retryAt, reason } = upstream;
      if (circuit === "closed") return `  ${name}  ${wordsOf(upstream, now).join("; ")}`;
      const again =
        retryAt === undefined ? "" : `, asked again in ${formatDuration(Math.max(0, retryAt - now))}`;
      return `  ${name}  ${circuit === "open" ? "down" : "being tried"}${again}${reason === undefined ? "" : `: ${reason}`}`;
    });
  if (working.length === 0) return told;
  const asked = upstreams.flatMap((upstream) => latencyWords(upstream) ?? []);
  const speed = asked.length === 0 ? "" : `; answers take ${asked.join(", ")}`;
  return [...told, `  ${working.length} in order${speed}`];
}

function wordsOf(upstream: Status["upstreams"][number], now: number): string[] {
  return [budgetWords(upstream, now), failureWords(upstream)].filter((each) => each !== undefined);
}

/** As many lines as there are rows; of what does not fit, the number of lines is told. */
function fitted(sections: readonly Section[], rows: number): string[] {
  const lines: string[] = [];
  let wanted = sections.reduce((sum, section) => sum + sizeOf(section), 0);
  let left = rows;
  for (const section of sections) {
    const size = sizeOf(section);
    if (size === 0) continue;
    wanted -= size;
    // The sections below keep at least their heads.
    const most = Math.max(4, left - Math.min(wanted, 8));
    const shown =
      section.lines.length + 2 <= most ? section.lines : section.lines.slice(0, Math.max(0, most - 3));
    const rest = section.lines.length - shown.length;
    const more = rest > 0 ? [`  and ${rest} more ${rest === 1 ? "line" : "lines"}`] : [];
    const legend = section.title === "Transfers" && left >= 20 ? `  (${MAP_LEGEND})` : "";
    lines.push("", `${section.title}${legend}`, ...shown, ...more);
    left -= 2 + shown.length + more.length;
  }
  return lines.slice(0, Math.max(0, rows));
}

function sizeOf({ lines }: Section): number {
  return lines.length === 0 ? 0 : lines.length + 2;
}

function cut(line: string, width: number): string {
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}
