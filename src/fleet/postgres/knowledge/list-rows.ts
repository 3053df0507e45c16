/** Owns the rows of `lists`: the last tag lists and referrers of repositories. How a body is packed is up to who stores it. */
import type { Knowledge, ListKey, ListRecord } from "../../../metadata/metadata.ts";
import type { FleetDatabase } from "../fleet-database.ts";

type ListRow = {
  readonly body: Uint8Array;
  readonly isPacked: boolean;
  readonly detail: string | null;
  readonly checkedAt: number;
};

/** Pages of tags that are stored for one repository, besides its whole list: clients can invent any number of queries. */
const MOST_PAGES = 32;

const KEY = "upstream = $1 and repository = $2 and kind = $3 and name = $4";

/** With the page that is written, and of the others the newest; they are found as they were before it. */
const UPSERT = `
  with surplus as (
    delete from lists as l using (
      select name from lists
      where upstream = $1 and repository = $2 and kind = 'tags' and $3 = 'tags' and name <> '' and name <> $4
      order by checked_at desc, place desc offset ${MOST_PAGES - 1}) as old
    where l.upstream = $1 and l.repository = $2 and l.kind = 'tags' and l.name = old.name and $4 <> '')
  insert into lists (upstream, repository, kind, name, body, is_packed, detail, checked_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8)
  on conflict (upstream, repository, kind, name) do update set body = excluded.body,
    is_packed = excluded.is_packed, detail = excluded.detail, checked_at = excluded.checked_at`;

export function fleetLists(database: FleetDatabase): Pick<Knowledge, "recordList" | "list" | "forgetList"> {
  return {
    recordList: async (record) => {
      const { body, isPacked, detail, checkedAt } = record;
      await database.query(UPSERT, [...keyOf(record), body, isPacked, detail ?? null, checkedAt]);
    },
    list: async (key) => {
      const [row] = await database.query<ListRow>(
        `select body, is_packed as "isPacked", detail, checked_at as "checkedAt" from lists where ${KEY}`,
        keyOf(key),
      );
      return row && listOf(key, row);
    },
    forgetList: async (key) => {
      await database.query(`delete from lists where ${KEY}`, keyOf(key));
    },
  };
}

function listOf({ upstream, repository, kind, name }: ListKey, row: ListRow): ListRecord {
  return { ...row, upstream, repository, kind, name, detail: row.detail ?? undefined };
}

function keyOf({ upstream, repository, kind, name }: ListKey) {
  return [upstream, repository, kind, name];
}
