/** Owns how tests read config/grafana-dashboard.json. It judges nothing. */
import { readPage } from "../docs/markdown.ts";

type DataSource = { readonly type: string; readonly uid: string };

type Target = { readonly expr: string; readonly legendFormat: string; readonly datasource: DataSource };

export type Panel = {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: DataSource;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly Target[];
};

type Variable = { readonly name: string; readonly type: string; readonly definition?: string };

export type Dashboard = {
  readonly id: null;
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
};

export async function readDashboard(): Promise<Dashboard> {
  return JSON.parse(await readPage("config/grafana-dashboard.json")) as Dashboard;
}

/** Every expression with the panel that shows it; what Grafana fills in is filled in. */
export function expressionsOf({ panels }: Dashboard) {
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat }) => ({ title, expr: filledIn(expr), legend: legendFormat })),
  );
}

function filledIn(expression: string): string {
  return expression
    .replaceAll("$__rate_interval", "5m")
    .replaceAll("$__range", "1h")
    .replaceAll(/"\$\w+"/g, '".+"');
}

/** What `label_values(metric{...}, label)` asks for. */
export function variableQueries({ templating }: Dashboard) {
  return templating.list.flatMap(({ name, definition }) => {
    const [, expr = "", label = ""] = /^label_values\((.+), (\w+)\)$/.exec(definition ?? "") ?? [];
    return definition === undefined ? [] : [{ name, expr: filledIn(expr), label }];
  });
}
