/** Owns how results look: Markdown tables that go into docs/performance.md as they are. Never computes a result. */
import { type Check, CONTENDERS, type ContenderName, type Row } from "./row.ts";

const TITLES: Record<ContenderName, string> = {
  granary: "Granary",
  nginx: "nginx (sendfile)",
  registry: "docker-registry",
  proxy: "docker-registry as proxy",
  direct: "curl / direct",
  umoci: "umoci unpack",
  tar: "tar -x",
  line: "the line",
};

/** One table for each set of contenders. */
export function formatTables(rows: readonly Row[]): string {
  const tables = Map.groupBy(rows, ({ contenders = CONTENDERS }) => contenders);
  return [...tables].map(([contenders, own]) => formatTable(contenders, own)).join("\n\n");
}

function formatTable(contenders: readonly ContenderName[], rows: readonly Row[]): string {
  const head = ["", ...contenders.map((name) => TITLES[name]), "compared", "wanted", "reached"];
  const lines = rows.map((row) => [
    row.name,
    ...contenders.map((name) => formatValue(row.values[name], row.unit)),
    row.checks.map(formatCompared).join("<br>"),
    row.checks.map((check) => check.wanted).join("<br>"),
    row.checks.map(formatReached).join("<br>"),
  ]);
  const rule = head.map((_, column) => (column === 0 ? "---" : "---:"));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
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
  if (unit === "requests/s") return Math.round(value).toLocaleString("en");
  if (unit === "MB") return value >= 100 ? value.toFixed(0) : value.toFixed(1);
  if (unit === "ms") return value.toFixed(1);
  return value.toFixed(2);
}
