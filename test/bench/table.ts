/** Owns how results look: Markdown tables that go into docs/performance.md as they are. Never computes a result. */
import { CACHES, type Check, type ContenderName, type Row } from "./row.ts";

const TITLES: Record<ContenderName, string> = {
  granary: "Granary",
  nginx: "nginx (sendfile)",
  nginxTls: "nginx with TLS",
  bare: "bare node:http",
  registry2: "distribution 2.8",
  registry3: "distribution 3",
  zot: "zot",
  proxy2: "distribution 2.8 as proxy",
  proxy3: "distribution 3 as proxy",
  direct: "curl / direct",
  curlHash: "curl plus hash",
  umoci: "umoci unpack",
  tar: "tar -x",
  line: "the line",
  idle: "an idle process",
  fleet1: "fleet of 1",
  fleet3: "fleet of 3",
  fleet10: "fleet of 10",
  thousand: "1,000 blobs",
  tenThousand: "10,000",
  hundredThousand: "100,000",
  million: "1,000,000",
};

/** One table for each set of contenders, without those that took no part in any of its rows. */
export function formatTables(rows: readonly Row[]): string {
  const tables = Map.groupBy(rows, ({ contenders = CACHES }) => contenders);
  return [...tables]
    .map(([contenders, own]) => formatTable(contenders.filter(tookPartIn(own)), own))
    .join("\n\n");
}

function tookPartIn(rows: readonly Row[]): (name: ContenderName) => boolean {
  return (name) => rows.some((row) => row.values[name] !== undefined);
}

function formatTable(contenders: readonly ContenderName[], rows: readonly Row[]): string {
  const head = ["", ...contenders.map((name) => TITLES[name]), "compared", "wanted", "reached"];
  const lines = rows.map((row) => [
    row.name,
    ...contenders.map((name) => formatCell(row, name)),
    row.checks.map(formatCompared).join("<br>"),
    row.checks.map((check) => check.wanted).join("<br>"),
    row.checks.map(formatReached).join("<br>"),
  ]);
  const rule = head.map((_, column) => (column === 0 ? "---" : "---:"));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function formatCell(row: Row, name: ContenderName): string {
  const processor = row.processor?.[name];
  const value = formatValue(row.values[name], row.unit);
  return processor === undefined || !Number.isFinite(processor)
    ? value
    : `${value}<br>${processor.toFixed(2)} s/GiB`;
}

function formatValue(value: number | undefined, unit: string): string {
  return value === undefined ? "-" : `${formatNumber(value, unit)}${unit === "x" ? "x" : ` ${unit}`}`;
}

function formatCompared(check: Check): string {
  return formatValue(check.value, check.valueUnit);
}

function formatReached(check: Check): string {
  if (check.reached === undefined) return "not measured";
  return check.reached ? "yes" : "**no**";
}

function formatNumber(value: number, unit: string): string {
  if (["requests/s", "killed", "queries", "requests"].includes(unit))
    return Math.round(value).toLocaleString("en");
  if (unit === "MB") return value >= 100 ? value.toFixed(0) : value.toFixed(1);
  if (unit === "ms") return value.toFixed(value < 10 ? 2 : 1);
  return value.toFixed(2);
}
