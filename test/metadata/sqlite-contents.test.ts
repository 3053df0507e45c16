/** Owns that what lies beside the Metadata in one file keeps its contracts: contents, rules, sightings. */
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { openDatabase } from "../../src/metadata/database.ts";
import { contentsContract } from "../contract/contents-contract.ts";
import { rulesContract } from "../contract/rules-contract.ts";
import { sightingsContract } from "../contract/sightings-contract.ts";
import { tempDirectory } from "../support/temp-directory.ts";

async function opened() {
  const database = openDatabase(join(await tempDirectory(), "granary.db"));
  onTestFinished(() => database.close());
  return { ...database, knowledge: database.metadata };
}

rulesContract("SQLite", async () => (await opened()).rules);
sightingsContract("SQLite", opened);
contentsContract("SQLite", async () => {
  const { knowledge, contents, metadata } = await opened();
  return {
    knowledge,
    contents,
    recordBlob: (blob) => metadata.recordBlob(blob),
    useManifests: (uses) => metadata.touch(uses),
  };
});
