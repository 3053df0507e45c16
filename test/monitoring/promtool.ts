/**
 * Owns promtool, the program of Prometheus that checks rules and tries them on made-up series: what it is given, and what it said. Its
 * formats: https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/
 */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { tempDirectory } from "../support/temp-directory.ts";

/** One Granary that is scraped. */
export const TARGET = { job: "granary", instance: "lab:5000" };

/** A series in promtool's notation; the labels of TARGET are added. */
export type MadeSeries = {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly values: string;
};

export type RuleTrial = {
  readonly title: string;
  readonly series: readonly MadeSeries[];
  readonly expected: readonly ExpectedAlerts[];
};

type ExpectedAlerts = {
  readonly alert: string;
  /** Such as "20m", from the first sample on. */
  readonly at: string;
  /** None: it must not fire then. */
  readonly firing: readonly { readonly labels: object; readonly annotations: object }[];
};

export type RunOptions = {
  /** Of a rule file. */
  readonly rules: object;
  /** Between two samples. */
  readonly interval: string;
  /** Between two evaluations of the rules; as often as there are samples, by default. */
  readonly evaluated?: string;
};

/** What is not as it should be, in promtool's words; nothing when all is. */
export async function tryRules(trials: readonly RuleTrial[], options: RunOptions): Promise<string> {
  const { rules, interval, evaluated = interval } = options;
  const directory = await tempDirectory();
  await writeFile(join(directory, "rules.yaml"), stringify(rules));
  const file = join(directory, "trials.yaml");
  const tests = trials.map(({ title, series, expected }) => ({
    name: title,
    interval,
    input_series: series.map(({ name, labels = {}, values }) => ({
      series: seriesName(name, labels),
      values,
    })),
    alert_rule_test: expected.map(({ alert, at, firing }) => ({
      eval_time: at,
      alertname: alert,
      exp_alerts: firing.map(({ labels, annotations }) => ({
        exp_labels: labels,
        exp_annotations: annotations,
      })),
    })),
  }));
  await writeFile(file, stringify({ rule_files: ["rules.yaml"], evaluation_interval: evaluated, tests }));
  return await promtool(["test", "rules", file]);
}

/** What it complains of; nothing when the rules can be loaded. */
export async function checkRules(rules: object): Promise<string> {
  const file = join(await tempDirectory(), "rules.yaml");
  await writeFile(file, stringify(rules));
  return await promtool(["check", "rules", "--lint=all", "--lint-fatal", file]);
}

/** The same of a configuration of Prometheus, with the files that it names beside it. */
export async function checkConfiguration(
  text: string,
  beside: Readonly<Record<string, string>>,
): Promise<string> {
  const directory = await tempDirectory();
  for (const [name, content] of Object.entries(beside)) await writeFile(join(directory, name), content);
  const file = join(directory, "prometheus.yml");
  await writeFile(file, text);
  return await promtool(["check", "config", file]);
}

async function promtool(args: readonly string[]): Promise<string> {
  try {
    await promisify(execFile)("promtool", args, { maxBuffer: 2 ** 26 });
    return "";
  } catch (error) {
    const { stdout = "", stderr = "", message } = error as Error & { stdout?: string; stderr?: string };
    return `${stderr}${stdout}` || message;
  }
}

function seriesName(name: string, labels: Readonly<Record<string, string>>): string {
  const all = Object.entries({ ...TARGET, ...labels }).map(
    ([key, value]) => `${key}=${JSON.stringify(value)}`,
  );
  return `${name}{${all.join(", ")}}`;
}
