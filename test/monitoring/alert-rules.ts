/** Owns how tests read config/prometheus-alerts.yaml. It judges nothing. */
import { parse } from "yaml";
import { readPage } from "../docs/markdown.ts";

export const RULES_FILE = "config/prometheus-alerts.yaml";

export type AlertRule = {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description?: string };
};

type RuleFile = {
  readonly groups: readonly { readonly name: string; readonly rules: readonly AlertRule[] }[];
};

export async function readRuleFile(): Promise<RuleFile> {
  return parse(await readPage(RULES_FILE)) as RuleFile;
}

export async function readAlerts(): Promise<AlertRule[]> {
  return (await readRuleFile()).groups.flatMap(({ rules }) => rules);
}
