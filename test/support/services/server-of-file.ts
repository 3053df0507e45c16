/** Owns the one PostgreSQL that the tests of a file share: it begins before the first and ends after the last. */
import { afterAll, beforeAll } from "vitest";
import { TestPostgres } from "./postgres.ts";

/** Call it at the top of a file; `current` is there inside tests. */
export function serverOfFile(): { readonly current: TestPostgres } {
  let server: TestPostgres | undefined;
  beforeAll(async () => {
    server = await TestPostgres.begin();
  });
  afterAll(() => server?.end());
  return {
    get current() {
      if (server === undefined) throw new Error("PostgreSQL is there only while tests run.");
      return server;
    },
  };
}
