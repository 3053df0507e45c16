/**
 * Owns the tables of a fleet's database, as a list of migrations: entry n takes a database from version n to n + 1. An entry that was ever
 * released must never be edited; add another. Nodes of several versions may run at once: each entry says which version can work with what it
 * leaves.
 */
import { GranaryError } from "../../errors.ts";
import { FIRST_TABLES } from "./first-tables.ts";
import type { FleetQuery } from "./fleet-database.ts";
import type { Prepare } from "./opened-database.ts";
import { awayError } from "./postgres-error.ts";

export type Migration = {
  readonly statements: readonly string[];
  /** The oldest version of these tables whose nodes can go on beside it. */
  readonly oldest: number;
};

export const FLEET_MIGRATIONS: readonly Migration[] = [{ statements: FIRST_TABLES, oldest: 1 }];

type Version = { readonly version: number; readonly oldest: number };

/** One row. `identity` tells one database from another that was made in its place. */
const VERSION_TABLE = `create table if not exists granary_version (
  version integer not null,
  oldest integer not null,
  identity text not null default gen_random_uuid()::text
)`;

/** Of all Granaries: only one of them changes tables at a time. */
const LOCK = 7_262_724_001;

/**
 * Makes the tables, or brings them up to date; many nodes may do so at once. Throws `config-invalid` for a database that a newer Granary has
 * made unfit for this one, `fleet-unavailable` for a server that takes no changes, and what queries throw.
 */
export async function migrate(
  { query, inLongTransaction, host }: Prepare,
  migrations = FLEET_MIGRATIONS,
): Promise<void> {
  await expectWritable(query, host);
  const found = await versionOf(query);
  if (isFit(found, migrations.length)) return;
  await inLongTransaction(async (ask) => {
    await ask("select pg_advisory_xact_lock($1)", [LOCK]);
    await ask(VERSION_TABLE);
    await apply(ask, migrations);
  });
}

async function apply(query: FleetQuery, migrations: readonly Migration[]): Promise<void> {
  const found = await versionOf(query);
  if (isFit(found, migrations.length)) return;
  for (const { statements } of migrations.slice(found?.version ?? 0))
    for (const statement of statements) await query(statement);
  const oldest = Math.max(...migrations.map((migration) => migration.oldest));
  const write =
    found === undefined
      ? "insert into granary_version (version, oldest) values ($1, $2)"
      : "update granary_version set version = $1, oldest = $2";
  await query(write, [migrations.length, oldest]);
}

/** True when nothing is to be done. Throws `config-invalid` when nothing can be done. */
function isFit(found: Version | undefined, known: number): boolean {
  if (found === undefined || found.version < known) return false;
  if (found.version === known || found.oldest <= known) return true;
  const text = `This database was set up by a newer Granary (version ${found.version}); update this node.`;
  throw new GranaryError("config-invalid", text, {
    expected: known,
    found: found.version,
    saysWhatToDo: true,
  });
}

async function versionOf(query: FleetQuery): Promise<Version | undefined> {
  const [table] = await query<{ isThere: boolean }>(
    `select to_regclass('granary_version') is not null as "isThere"`,
  );
  if (table?.isThere !== true) return undefined;
  const [row] = await query<Version>("select version, oldest from granary_version");
  return row;
}

/** A standby answers questions, but a node without a heartbeat has no use for it. */
async function expectWritable(query: FleetQuery, host: string): Promise<void> {
  const [row] = await query<{ isReadOnly: boolean }>(
    `select current_setting('transaction_read_only') = 'on' as "isReadOnly"`,
  );
  if (row?.isReadOnly === true) throw awayError(host, "it takes no changes, as a standby does");
}
