/**
 * Owns what people told a fleet to do from now on: kept in its database, and in that of each node for when it does not answer. Whoever changes a
 * rule tells the others, who read again.
 */
import { isGranaryError } from "../../errors.ts";
import type { RuleRows } from "../../metadata/rule-rows.ts";
import type { Journal } from "../journal.ts";

/** The kind of the news that rules have changed; its body is the kind of the rule. */
export const RULES = "rules";

export type SharedRulesParts = {
  readonly local: RuleRows;
  readonly shared: RuleRows;
  readonly journal: Pick<Journal, "tell">;
};

/** A person waits for a change: it throws `fleet-unavailable` while the fleet cannot know it, and nothing is changed then. */
export function sharedRules({ local, shared, journal }: SharedRulesParts): RuleRows {
  return {
    record: async (rule) => {
      await shared.record(rule);
      await local.record(rule);
      await journal.tell({ kind: RULES, body: rule.kind });
    },
    forget: async (kind, pattern) => {
      const wasThere = await shared.forget(kind, pattern);
      await local.forget(kind, pattern);
      await journal.tell({ kind: RULES, body: kind });
      return wasThere;
    },
    of: async (kind) => {
      const known = await local.of(kind);
      try {
        const rules = await shared.of(kind);
        for (const rule of rules) if (!known.some((own) => isSame(own, rule))) await local.record(rule);
        const gone = known.filter(({ pattern }) => !rules.some((rule) => rule.pattern === pattern));
        for (const { pattern } of gone) await local.forget(kind, pattern);
        return rules;
      } catch (error) {
        if (isGranaryError(error, "fleet-unavailable")) return known;
        throw error;
      }
    },
  };
}

type Rule = Awaited<ReturnType<RuleRows["of"]>>[number];

function isSame(a: Rule, b: Rule): boolean {
  return a.pattern === b.pattern && a.detail === b.detail && a.madeAt === b.madeAt;
}
