/** Owns the rows of `lists`: the last tag lists and referrers of repositories. How a body is packed is up to who stores it. */
import type { ListKey, ListRecord, Metadata } from "./metadata.ts";
import type { SqlDatabase, SqlValue } from "./sql-database.ts";

type ListRow = {
  readonly body: Uint8Array;
  readonly isPacked: number;
  readonly detail: string | null;
  readonly checkedAt: number;
};

/** Pages of tags that are stored for one repository, besides its whole list: clients can invent any number of queries. */
const MOST_PAGES = 32;

const KEY = "upstream = ? AND repository = ? AND kind = ? AND name = ?";

export function listRows(database: SqlDatabase): Pick<Metadata, "recordList" | "list" | "forgetList"> {
  const upsert = database.prepare(
    `INSERT INTO lists (upstream, repository, kind, name, body, is_packed, detail, checked_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET body = excluded.body, is_packed = excluded.is_packed, detail = excluded.detail,
       checked_at = excluded.checked_at`,
  );
  const one = database.prepare<ListRow>(
    `SELECT body, is_packed AS isPacked, detail, checked_at AS checkedAt FROM lists WHERE ${KEY}`,
  );
  const remove = database.prepare(`DELETE FROM lists WHERE ${KEY}`);
  const thin = database.prepare(
    `DELETE FROM lists WHERE rowid IN (
       SELECT rowid FROM lists WHERE upstream = ? AND repository = ? AND kind = 'tags' AND name <> ''
       ORDER BY checked_at DESC, rowid DESC LIMIT -1 OFFSET ${MOST_PAGES})`,
  );

  return {
    recordList: async (record) =>
      database.inTransaction(() => {
        const { body, isPacked, detail, checkedAt, kind, upstream, repository } = record;
        upsert.run(...keyOf(record), body, Number(isPacked), detail ?? null, checkedAt);
        if (kind === "tags") thin.run(upstream, repository);
      }),
    list: async (key) => {
      const row = one.get(...keyOf(key));
      const { upstream, repository, kind, name } = key;
      return (
        row &&
        ({
          ...{ upstream, repository, kind, name },
          body: row.body,
          isPacked: row.isPacked === 1,
          detail: row.detail ?? undefined,
          checkedAt: row.checkedAt,
        } satisfies ListRecord)
      );
    },
    forgetList: async (key) => remove.run(...keyOf(key)),
  };
}

function keyOf({ upstream, repository, kind, name }: ListKey): SqlValue[] {
  return [upstream, repository, kind, name];
}
