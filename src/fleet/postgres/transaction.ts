/**
 * Owns how a transaction is begun, ended and given up on one line. The limits of time are set inside it, because a pooler in transaction mode
 * refuses them for a whole connection. It says nothing of what is done in it.
 */
import type { FleetQuery } from "./fleet-database.ts";
import type { LineWork } from "./lines.ts";
import { closedError } from "./lines.ts";
import { isAway } from "./postgres-error.ts";

/**
 * Runs `work` in a transaction over `query`, which must be one line's. The server ends a statement, and a pause between two of them, after
 * `patienceMs`: nobody else waits longer for rows that this transaction has locked. Throws what failed first.
 */
export async function inTransaction<T>(query: FleetQuery, work: LineWork<T>, patienceMs: number): Promise<T> {
  const asking = watched(query);
  try {
    await query(
      `begin; set local statement_timeout = ${patienceMs}; set local idle_in_transaction_session_timeout = ${patienceMs}`,
    );
    const result = await work(asking.query);
    if (asking.failure !== undefined) throw asking.failure.error;
    asking.isOver = true;
    await query("commit");
    return result;
  } catch (error) {
    asking.isOver = true;
    // The server gives up by itself what was begun on a line that is lost.
    if (!isAway(error)) await query("rollback");
    throw error;
  }
}

type Asking = {
  readonly query: FleetQuery;
  failure: { readonly error: unknown } | undefined;
  isOver: boolean;
};

/** The queries of one transaction: none after its end. What failed is kept, because the server commits nothing after it. */
function watched(query: FleetQuery): Asking {
  const asking: Asking = {
    failure: undefined,
    isOver: false,
    query: async (text, values) => {
      if (asking.isOver) throw closedError();
      try {
        return await query(text, values);
      } catch (error) {
        asking.failure ??= { error };
        throw error;
      }
    },
  };
  return asking;
}
