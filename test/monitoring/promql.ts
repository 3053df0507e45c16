/**
 * Owns what tests read out of an expression of PromQL: which metrics it names, with which labels, by Prometheus' own grammar. It evaluates
 * nothing: that is promtool's.
 */
import { parser } from "@prometheus-io/lezer-promql";

export type Matcher = { readonly label: string; readonly value: string; readonly isPattern: boolean };

type Selector = { readonly metric: string; readonly matchers: readonly Matcher[] };

export type ReadExpression = {
  readonly selectors: readonly Selector[];
  /** Labels that it sums by, or matches on. */
  readonly labels: ReadonlySet<string>;
};

type Node = ReturnType<typeof parser.parse>["topNode"];

/** Throws with the place where `expression` breaks the grammar. */
export function readExpression(expression: string): ReadExpression {
  const textOf = (node: Node | null) => (node === null ? "" : expression.slice(node.from, node.to));
  const selectors: Selector[] = [];
  const labels = new Set<string>();
  parser.parse(expression).iterate({
    enter({ node }) {
      if (node.type.isError) throw new Error(`"${expression}" is no PromQL at ${node.from}: ${textOf(node)}`);
      if (node.name === "GroupingLabels")
        for (const label of node.getChildren("LabelName")) labels.add(textOf(label));
      if (node.name === "VectorSelector")
        selectors.push({ metric: textOf(node.getChild("Identifier")), matchers: matchersOf(node, textOf) });
    },
  });
  return { selectors, labels };
}

function matchersOf(selector: Node, textOf: (node: Node | null) => string): Matcher[] {
  const found = selector.getChild("LabelMatchers")?.getChildren("UnquotedLabelMatcher") ?? [];
  return found.map((matcher) => ({
    label: textOf(matcher.getChild("LabelName")),
    value: JSON.parse(textOf(matcher.getChild("StringLiteral"))) as string,
    isPattern: textOf(matcher.getChild("MatchOp")).endsWith("~"),
  }));
}
