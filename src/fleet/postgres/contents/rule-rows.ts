/** Owns the rows of `rules`: what people told any node of the fleet to do from now on. What a rule means is up to those who read it. */
import { MOST_RULES, type RuleRows, tooManyRules } from "../../../metadata/rule-rows.ts";
import type { FleetDatabase } from "../fleet-database.ts";

type RuleRow = {
  readonly kind: string;
  readonly pattern: string;
  readonly detail: string | null;
  readonly madeAt: number;
};

/** Nothing is written when there are as many others as there may be. */
const UPSERT = `
  insert into rules (kind, pattern, detail, made_at)
  select $1::text, $2::text, $3::text, $4::bigint
  where (select count(*) from rules where kind = $1 and pattern <> $2) < ${MOST_RULES}
  on conflict (kind, pattern) do update set detail = excluded.detail, made_at = excluded.made_at
  returning kind`;

/** Throws `fleet-unavailable` while the database does not answer. */
export function fleetRules(database: FleetDatabase): RuleRows {
  return {
    record: async ({ kind, pattern, detail, madeAt }) => {
      const written = await database.query(UPSERT, [kind, pattern, detail ?? null, madeAt]);
      if (written.length === 0) throw tooManyRules(kind);
    },
    forget: async (kind, pattern) => {
      const gone = await database.query("delete from rules where kind = $1 and pattern = $2 returning kind", [
        kind,
        pattern,
      ]);
      return gone.length > 0;
    },
    of: async (kind) => {
      const rows = await database.query<RuleRow>(
        `select kind, pattern, detail, made_at as "madeAt" from rules where kind = $1 order by made_at, pattern`,
        [kind],
      );
      return rows.map(({ detail, ...rule }) => ({ ...rule, detail: detail ?? undefined }));
    },
  };
}
