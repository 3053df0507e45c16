/** Shows that the dashboard can be imported anywhere, says what it shows, and asks only what Prometheus understands. */
import { describe, expect, test } from "vitest";
import { describeWithPrograms } from "../e2e/support/required-programs.ts";
import { type Dashboard, expressionsOf, type Panel, readDashboard, variableQueries } from "./dashboard.ts";
import { readExpression } from "./promql.ts";
import { checkRules } from "./promtool.ts";

/** Panels of Grafana 10 and newer; `graph`, `singlestat` and `table-old` are not any more. */
const PANELS = ["row", "stat", "timeseries", "state-timeline"];

const shown = ({ panels }: Dashboard): Panel[] => panels.filter(({ type }) => type !== "row");

describe("the dashboard", () => {
  test("belongs to no Grafana, and names no data source of one", async () => {
    const dashboard = await readDashboard();
    expect(dashboard).toMatchObject({ id: null, uid: "granary", editable: false });
    expect(dashboard).not.toHaveProperty("__inputs");
    const source = { type: "prometheus", uid: `\${datasource}` };
    for (const { title, datasource, targets = [] } of shown(dashboard))
      for (const used of [datasource, ...targets.map((target) => target.datasource)])
        expect(used, title).toEqual(source);
  });

  test("is for one Granary or several: each question goes to the chosen jobs and instances", async () => {
    const dashboard = await readDashboard();
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual(["datasource", "job", "instance"]);
    expect(variableQueries(dashboard).map(({ label }) => label)).toEqual(["job", "instance"]);
    for (const { title, targets = [] } of shown(dashboard))
      for (const { expr } of targets) {
        const count = [...expr.matchAll(/job=~"\$job", instance=~"\$instance"/g)].length;
        expect(count, title).toBe([...expr.matchAll(/\{/g)].length);
      }
  });

  test("has panels that there still are, each with a title, a unit and what it means", async () => {
    const dashboard = await readDashboard();
    for (const { type, title } of dashboard.panels) expect(PANELS, title).toContain(type);
    const panels = shown(dashboard);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    for (const { title, description, fieldConfig, targets } of panels) {
      expect(description, title).toMatch(/^.{20,}\.$/);
      expect(fieldConfig?.defaults.unit, title).toBeDefined();
      expect(targets?.length, title).toBeGreaterThan(0);
    }
  });

  test("begins with what is saved, and no panel covers another", async () => {
    const { panels } = await readDashboard();
    expect(panels[1]?.title).toBe("Saved in all");
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const places = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
    );
    expect(new Set(places).size).toBe(places.length);
    expect(Math.max(...panels.map(({ gridPos }) => gridPos.x + gridPos.w))).toBe(24);
  });

  test("names its lines by labels that the answers have", async () => {
    for (const { title, expr, legend } of expressionsOf(await readDashboard())) {
      const { labels } = readExpression(expr);
      for (const [, label = ""] of legend.matchAll(/\{\{(\w+)\}\}/g))
        expect([...labels], title).toContain(label);
    }
  });
});

describeWithPrograms(["promtool"], "the questions of the dashboard", () => {
  test("are understood by Prometheus", async () => {
    const rules = expressionsOf(await readDashboard()).map(({ expr }, index) => ({
      record: `panel:${index}`,
      expr,
    }));
    expect(await checkRules({ groups: [{ name: "dashboard", rules }] })).toBe("");
  });
});
