/** Shows that every metric, label and value that the alerts, the dashboard and docs/monitoring.md name is one that a running Granary tells. */
import { beforeEach, describe, expect, test } from "vitest";
import { createMetrics } from "../../src/observe/metrics.ts";
import { readPage, rowsUnder } from "../docs/markdown.ts";
import { readAlerts } from "./alert-rules.ts";
import { expressionsOf, readDashboard, variableQueries } from "./dashboard.ts";
import { EMERGENCIES, LATE_EMERGENCY } from "./emergencies.ts";
import { familyOf, readExposition } from "./exposition.ts";
import { type Matcher, readExpression } from "./promql.ts";
import { scrapeGranary } from "./scraped.ts";

/** What Prometheus adds itself. */
const OF_PROMETHEUS = { metrics: ["up"], labels: ["job", "instance"] };

/** By metric, and by label of it: the values that were seen. */
type Known = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>;

let known: Known;
/** By metric: what its help says. */
let helps: ReadonlyMap<string, string>;

beforeEach(async () => {
  const { fresh, busy, troubled } = await scrapeGranary();
  const all = readExposition([fresh, busy, troubled].join("\n"));
  const metrics = new Map<string, Map<string, Set<string>>>(
    OF_PROMETHEUS.metrics.map((name) => [name, new Map()]),
  );
  for (const { name, labels } of all.samples) {
    const seen = metrics.get(name) ?? new Map<string, Set<string>>();
    metrics.set(name, seen);
    for (const [label, value] of Object.entries(labels))
      seen.set(label, (seen.get(label) ?? new Set()).add(value));
  }
  known = metrics;
  helps = new Map([...metrics.keys()].map((name) => [name, all.helps.get(familyOf(name, all)) ?? ""]));
});

async function namedExpressions() {
  const dashboard = await readDashboard();
  const alerts = (await readAlerts()).map(({ alert, expr }) => ({ where: alert, expr }));
  const panels = expressionsOf(dashboard).map(({ title, expr }) => ({ where: `panel ${title}`, expr }));
  const variables = variableQueries(dashboard).map(({ name, expr }) => ({ where: `variable ${name}`, expr }));
  return [...alerts, ...panels, ...variables].map((each) => ({ ...each, ...readExpression(each.expr) }));
}

/** The parts of a pattern that stand for something by themselves: of "hit|shared" two. */
function meantBy({ value, isPattern }: Matcher): readonly string[] {
  return isPattern ? value.split("|") : [value];
}

/** Seen, or told of by the help of the metric. */
function isValue(text: string, values: ReadonlySet<string>, help: string): boolean {
  const pattern = new RegExp(`^(?:${text})$`);
  return [...values, ...help.split(/[^\w-]+/)].some((value) => pattern.test(value));
}

describe("the alerts and the dashboard", () => {
  test("name only metrics that there are", async () => {
    const missing = (await namedExpressions()).flatMap(({ where, selectors }) =>
      selectors.filter(({ metric }) => !known.has(metric)).map(({ metric }) => `${where}: ${metric}`),
    );
    expect(missing).toEqual([]);
  });

  test("choose by labels that their metrics have, and by values that these can have", async () => {
    const missing: string[] = [];
    for (const { where, selectors } of await namedExpressions())
      for (const { metric, matchers } of selectors)
        for (const matcher of matchers) {
          if (OF_PROMETHEUS.labels.includes(matcher.label)) continue;
          const values = known.get(metric)?.get(matcher.label);
          if (values === undefined) missing.push(`${where}: ${metric} has no ${matcher.label}`);
          for (const value of meantBy(matcher))
            if (!isValue(value, values ?? new Set(), helps.get(metric) ?? ""))
              missing.push(`${where}: ${matcher.label} of ${metric} is never ${value}`);
        }
    expect(missing).toEqual([]);
  });

  test("sum by labels that the metrics have", async () => {
    const missing = (await namedExpressions()).flatMap(({ where, selectors, labels }) => {
      const there = selectors.flatMap(({ metric }) => [...(known.get(metric)?.keys() ?? [])]);
      return [...labels]
        .filter((label) => ![...there, ...OF_PROMETHEUS.labels].includes(label))
        .map((label) => `${where}: ${label}`);
    });
    expect(missing).toEqual([]);
  });

  test("are tried on series that a Granary could have", () => {
    const made = [...EMERGENCIES, LATE_EMERGENCY].flatMap(({ series }) => series);
    const missing = made.flatMap(({ name, labels = {} }) => {
      const own = Object.keys(labels).filter((label) => !OF_PROMETHEUS.labels.includes(label));
      const absent = own
        .filter((label) => known.get(name)?.has(label) !== true)
        .map((label) => `${name}: ${label}`);
      return known.has(name) ? absent : [name];
    });
    expect(missing).toEqual([]);
  });
});

describe("docs/monitoring.md", () => {
  test("has every metric with its labels and its help, and no other", async () => {
    const written = rowsUnder(await readPage("docs/monitoring.md"), "metric").map(
      ([metric = "", labels = "", help]) => [metric.replaceAll("`", ""), labels.replaceAll("`", ""), help],
    );
    const { registry } = createMetrics();
    const there = (await registry.getMetricsAsJSON()).map(({ name, help }) => {
      const { labelNames } = registry.getSingleMetric(name) as unknown as { labelNames: readonly string[] };
      return [name, labelNames.join(", "), help];
    });
    expect(written.sort()).toEqual(there.sort());
  });

  test("has every alert once in its table, and in its rules for Alertmanager only such", async () => {
    const page = await readPage("docs/monitoring.md");
    const alerts = (await readAlerts()).map(({ alert }) => alert);
    const listed = rowsUnder(page, "what").flatMap(([, cell = ""]) => cell.match(/Granary\w+/g) ?? []);
    expect(listed.sort()).toEqual(alerts.sort());
    for (const [name] of page.matchAll(/\bGranary[A-Z]\w+/g)) expect(alerts).toContain(name);
  });
});
