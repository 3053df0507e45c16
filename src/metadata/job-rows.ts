/** Owns the rows of `jobs`: one text for each job, which only src/jobs reads and writes. How many there are is up to it, too. */
import type { SqlDatabase } from "./sql-database.ts";

export type JobRow = {
  readonly id: number;
  /** JSON. */
  readonly body: string;
};

export interface JobRows {
  /** All of them, in the order of their ids. */
  jobs(): Promise<JobRow[]>;
  /** Writes `changed`, deletes `forgotten` (absent is fine): both, or nothing. Throws `store-full`, `store-damaged`, `closed`. */
  writeJobs(changed: readonly JobRow[], forgotten: readonly number[]): Promise<void>;
}

export function jobRows(database: SqlDatabase): JobRows {
  const all = database.prepare<JobRow>("SELECT id, body FROM jobs ORDER BY id");
  const upsert = database.prepare("INSERT OR REPLACE INTO jobs (id, body) VALUES (?, ?)");
  const remove = database.prepare("DELETE FROM jobs WHERE id = ?");
  return {
    jobs: async () => all.all(),
    writeJobs: async (changed, forgotten) =>
      database.inTransaction(() => {
        for (const { id, body } of changed) upsert.run(id, body);
        for (const id of forgotten) remove.run(id);
      }),
  };
}
