/** Shows that each alert fires on what it is for, not a moment too early, and that none fires on a good day. Needs promtool. */
import { expect, test } from "vitest";
import { parse } from "yaml";
import { unknownIn } from "../docs/command-lines.ts";
import { blocksOf, readPage } from "../docs/markdown.ts";
import { describeWithPrograms } from "../e2e/support/required-programs.ts";
import { type AlertRule, RULES_FILE, readAlerts, readRuleFile } from "./alert-rules.ts";
import { EMERGENCIES, type Emergency, LATE_EMERGENCY } from "./emergencies.ts";
import { readExposition } from "./exposition.ts";
import { goodDays, MINUTES } from "./good-days.ts";
import { readExpression } from "./promql.ts";
import {
  checkConfiguration,
  checkRules,
  type MadeSeries,
  type RuleTrial,
  TARGET,
  tryRules,
} from "./promtool.ts";
import { scrapeGranary } from "./scraped.ts";

/** With the one sentence of each alert: what to do about it is too long to be said twice. */
async function rulesToTry() {
  const { groups } = await readRuleFile();
  const brief = (rule: AlertRule) => ({ ...rule, annotations: { summary: rule.annotations.summary } });
  return { groups: groups.map(({ rules, ...group }) => ({ ...group, rules: rules.map(brief) })) };
}

function trialOf(emergency: Emergency, alerts: readonly AlertRule[]): RuleTrial {
  const { alert, title, at, notAt, series, summary } = emergency;
  const severity = alerts.find((rule) => rule.alert === alert)?.labels.severity;
  const labels = withoutEmpty({ severity, ...TARGET, ...emergency.labels });
  const firing = [{ labels, annotations: { summary } }];
  const { also = [] } = emergency;
  const isUp = { name: "up", values: "1x1000" };
  const own = series.some(({ name }) => name === "up") ? series : [isUp, ...series];
  const others = alerts.filter((rule) => rule.alert !== alert && !also.includes(rule.alert));
  return {
    title,
    series: [...own, ...own.map(calm)],
    expected: [
      { alert, at: notAt, firing: [] },
      { alert, at, firing },
      // What is one trouble is told once.
      ...others.map((other) => ({ alert: other.alert, at, firing: [] })),
    ],
  };
}

/** The same of another Granary beside it, where all stays as it was: of that nothing may be told. */
function calm({ name, labels, values }: MadeSeries): MadeSeries {
  const [first = "0"] = /^[\d.]+(?:e\d+)?/.exec(values) ?? [];
  return { name, labels: { ...labels, instance: "other:5000" }, values: `${first}x1000` };
}

function withoutEmpty(labels: Readonly<Record<string, string | undefined>>) {
  return Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== ""));
}

test("each alert has its emergency, and each emergency its alert", async () => {
  const tried = [...EMERGENCIES, LATE_EMERGENCY].map(({ alert }) => alert);
  expect(tried.sort()).toEqual((await readAlerts()).map(({ alert }) => alert).sort());
});

test("each says how bad it is, what it is about, and what to do by commands that there are", async () => {
  for (const { alert, labels, annotations } of await readAlerts()) {
    const { summary, description = "" } = annotations;
    expect(["critical", "warning"], alert).toContain(labels.severity);
    expect(summary, alert).toMatch(/^.{10,140}$/);
    const lines = [...description.matchAll(/`([^`]+)`/g)].map(([, line = ""]) => line);
    expect(lines.length, `${alert} says what to do`).toBeGreaterThan(0);
    for (const line of lines.filter((each) => each.startsWith("granary ")))
      expect(await unknownIn(line.slice("granary ".length)), line).toBeUndefined();
  }
});

test("the sentences name only labels that the alert has by then", async () => {
  const alerts = await readAlerts();
  for (const emergency of [...EMERGENCIES, LATE_EMERGENCY]) {
    const rule = alerts.find(({ alert }) => alert === emergency.alert);
    const text = Object.values(rule?.annotations ?? {}).join(" ");
    const there = Object.keys({ ...TARGET, ...emergency.labels });
    for (const [, label = ""] of text.matchAll(/\$labels\.(\w+)/g))
      expect(there, emergency.alert).toContain(label);
  }
});

test("each number has its reason: a comment stands above each alert", async () => {
  const lines = (await readPage(RULES_FILE)).split("\n");
  const bare = lines.filter(
    (line, at) => line.includes("- alert:") && !lines[at - 1]?.trimStart().startsWith("#"),
  );
  expect(bare).toEqual([]);
});

describeWithPrograms(["promtool"], "the alerts", () => {
  test("are rules that Prometheus loads", async () => {
    expect(await checkRules(await readRuleFile())).toBe("");
  });

  test("are loaded by the configuration that docs/monitoring.md shows, under the job that it names", async () => {
    const shown = blocksOf(await readPage("docs/monitoring.md")).find(({ text }) =>
      text.startsWith("rule_files:"),
    );
    expect(
      await checkConfiguration(shown?.text ?? "", { "prometheus-alerts.yaml": await readPage(RULES_FILE) }),
    ).toBe("");
    expect(parse(shown?.text ?? "")).toMatchObject({ scrape_configs: [{ job_name: TARGET.job }] });
  });

  test("fire when there is an emergency, with a sentence that names it, and not before", async () => {
    const alerts = await readAlerts();
    const trials = EMERGENCIES.map((emergency) => trialOf(emergency, alerts));
    expect(await tryRules(trials, { rules: await rulesToTry(), interval: "1m" })).toBe("");
    const late = [trialOf(LATE_EMERGENCY, alerts)];
    expect(await tryRules(late, { rules: await rulesToTry(), interval: "5m" })).toBe("");
  });

  test("fire as well where Prometheus writes the bounds of buckets as 86400.0", async () => {
    const emergency = EMERGENCIES.find(({ alert }) => alert === "GranaryBudgetLow");
    if (emergency === undefined) throw new Error("there is no such alert");
    const series = emergency.series.map(({ labels, ...each }) =>
      labels?.le === undefined ? each : { ...each, labels: { le: `${labels.le}.0` } },
    );
    const trials = [trialOf({ ...emergency, series }, await readAlerts())];
    expect(await tryRules(trials, { rules: await rulesToTry(), interval: "1m" })).toBe("");
  });

  test("are silent on good days of a real Granary", async () => {
    const { busy } = await scrapeGranary();
    const alerts = await readAlerts();
    const times = Array.from({ length: MINUTES / 4 }, (_, index) => `${index * 4}m`);
    const expected = alerts.flatMap(({ alert }) => times.map((at) => ({ alert, at, firing: [] })));
    const named = new Set(
      alerts.flatMap(({ expr }) => readExpression(expr).selectors.map(({ metric }) => metric)),
    );
    const trials = goodDays(readExposition(busy)).map(({ title, series }) => ({
      title,
      series: series.filter(({ name }) => named.has(name)),
      expected,
    }));
    expect(await tryRules(trials, { rules: await rulesToTry(), interval: "1m", evaluated: "4m" })).toBe("");
  });
});
