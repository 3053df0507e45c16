/**
 * Owns the rows of `rules`: what people told a running server to do from now on, by pattern (to keep, to allow, to deny, ...). Rules of the
 * settings are not in here; what a rule means is up to those who read it.
 */
import { GranaryError } from "../errors.ts";
import type { SqlDatabase } from "./sql-database.ts";

type RuleRecord = {
  /** What is done with what the pattern stands for: one word of whoever acts on it, such as "keep". */
  readonly kind: string;
  /** The canonical text of a name pattern, or another name that the kind knows. */
  readonly pattern: string;
  /** Whatever else the kind needs to know, as it wrote it. */
  readonly detail: string | undefined;
  /** Epoch ms. */
  readonly madeAt: number;
};

export interface RuleRows {
  /** Replaces the rule of the same kind and pattern. Throws `store-full`, `store-damaged`; `config-invalid` where there are too many. */
  record(rule: RuleRecord): Promise<void>;
  /** True when there was one. */
  forget(kind: string, pattern: string): Promise<boolean>;
  /** Those of one kind, oldest first. */
  of(kind: string): Promise<RuleRecord[]>;
}

type RuleRow = Omit<RuleRecord, "detail"> & { readonly detail: string | null };

/** Of one kind. Each is looked at for many names, and nobody can oversee more. */
export const MOST_RULES = 5_000;

export function ruleRows(database: SqlDatabase): RuleRows {
  const upsert = database.prepare(
    "INSERT OR REPLACE INTO rules (kind, pattern, detail, made_at) VALUES (?, ?, ?, ?)",
  );
  const remove = database.prepare("DELETE FROM rules WHERE kind = ? AND pattern = ?");
  const one = database.prepare<{ found: number }>(
    "SELECT 1 AS found FROM rules WHERE kind = ? AND pattern = ?",
  );
  const count = database.prepare<{ count: number }>("SELECT count(*) AS count FROM rules WHERE kind = ?");
  const all = database.prepare<RuleRow>(
    "SELECT kind, pattern, detail, made_at AS madeAt FROM rules WHERE kind = ? ORDER BY made_at, pattern",
  );
  return {
    record: async ({ kind, pattern, detail, madeAt }) => {
      const isNew = one.get(kind, pattern) === undefined;
      if (isNew && (count.get(kind)?.count ?? 0) >= MOST_RULES) throw tooManyRules(kind);
      upsert.run(kind, pattern, detail ?? null, madeAt);
    },
    forget: async (kind, pattern) => {
      const wasThere = one.get(kind, pattern) !== undefined;
      remove.run(kind, pattern);
      return wasThere;
    },
    of: async (kind) =>
      all.all(kind).map(({ detail, ...rule }) => ({ ...rule, detail: detail ?? undefined })),
  };
}

/** `config-invalid`: one more of `kind` is refused. */
export function tooManyRules(kind: string): GranaryError {
  return new GranaryError(
    "config-invalid",
    `There are ${MOST_RULES} rules to ${kind} already: take some back, or write one pattern in place of many.`,
  );
}
