/** Owns that the Knowledge over PostgreSQL keeps the contract of every Knowledge, also while several nodes write to it at once. */
import { onTestFinished } from "vitest";
import { openDatabase } from "../../src/fleet/postgres/connection.ts";
import { postgresKnowledge } from "../../src/fleet/postgres/knowledge/postgres-knowledge.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { knowledgeContract } from "../contract/knowledge-contract.ts";
import { serverOfFile } from "../support/services/server-of-file.ts";

const server = serverOfFile();

async function opened(address: string) {
  const database = await openDatabase(address, { log: silentLog, clock: systemClock });
  onTestFinished(() => database.close());
  return database;
}

knowledgeContract("PostgreSQL", async () => {
  const address = await server.current.createDatabase();
  const database = await opened(address);
  return {
    knowledge: postgresKnowledge(database),
    close: () => database.close(),
    reopen: async () => postgresKnowledge(await opened(address)),
  };
});
