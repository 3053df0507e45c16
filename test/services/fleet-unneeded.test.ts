/** Shows over a real PostgreSQL that names which no node uses leave a whole fleet, by the database's own times, and that its bucket keeps what it must. */
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { actOnNews } from "../../src/fleet/knowledge/fleet-news.ts";
import { knownByAll } from "../../src/fleet/known-by-all.ts";
import { openFleetDatabase } from "../../src/fleet/postgres/connection.ts";
import { recordManifestUses } from "../../src/fleet/postgres/contents/manifest-uses.ts";
import { PostgresJournal } from "../../src/fleet/postgres/journal.ts";
import { openDatabase } from "../../src/metadata/database.ts";
import type { Metadata } from "../../src/metadata/metadata.ts";
import { Unneeded } from "../../src/mirror/contents/unneeded.ts";
import { systemClock as clock } from "../../src/observe/clock.ts";
import { silentLog as log } from "../../src/observe/log.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { serverOfFile } from "../support/services/server-of-file.ts";
import { tempDirectory } from "../support/temp-directory.ts";

const server = serverOfFile();
const WHERE = { upstream: "docker.io", repository: "library/alpine" };
const IMAGE = "application/vnd.oci.image.manifest.v1+json";

/** An image of one layer. */
function image(name: string) {
  const layer = { digest: digestOf(Buffer.from(`layer of ${name}`)), size: 7, mediaType: "a/b" };
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: IMAGE, layers: [layer] }));
  return { name, layer, manifest: { digest: digestOf(bytes), mediaType: IMAGE, bytes } };
}

type Image = ReturnType<typeof image>;

async function node(address: string, name: string) {
  const database = await openFleetDatabase(address, { log, clock });
  onTestFinished(() => database.close());
  const own = openDatabase(join(await tempDirectory(), "own.db"));
  onTestFinished(() => own.close());
  const journal = new PostgresJournal(database, { node: name, incarnation: name });
  const known = knownByAll(database, own, journal, {
    ...{ log, clock, leads: () => name === "a", imported: () => undefined },
    used: () => undefined,
  });
  const left = async (leaving: Parameters<typeof own.contents.leave>[0]) =>
    void (await own.contents.leave(leaving));
  onTestFinished(actOnNews(journal, { left, askAnew: () => undefined, rules: async () => undefined }, log));
  await journal.read();
  const keep = { isKept: async () => false };
  const forgetNames = () => undefined;
  const [ofAll] = known.unneeded.map(
    (rows) => new Unneeded({ rows, keep, forgetNames, askFor: async () => undefined, clock, log }),
  );
  const { metadata } = known;
  return {
    ...{ database, journal, own, metadata },
    sweep: async () => await ofAll?.sweep(),
    pull: async ({ name: tag, manifest, layer }: Image) => {
      const { digest, mediaType, bytes } = manifest;
      await metadata.recordManifest(WHERE, manifest, [layer]);
      const facts = { digest, mediaType, size: bytes.length, checkedAt: clock.now() };
      await metadata.recordTag({ ...WHERE, tag, acceptClass: "", ...facts });
      await recordManifestUses(database, new Map([[digest, clock.now()]]));
    },
    read: async ({ name: tag, manifest: { digest } }: Image) => {
      await metadata.link(WHERE, digest);
      await metadata.manifest(digest);
      await metadata.tag({ ...WHERE, tag, acceptClass: "" });
    },
  };
}

test("what no node used for 120 days leaves for all; what is used, or has blobs in the bucket, stays", async () => {
  const address = await server.current.createDatabase();
  const [a, b] = [await node(address, "a"), await node(address, "b")];
  const { query } = a.database;
  const tags = async ({ metadata }: { metadata: Pick<Metadata, "tagsOf"> }) =>
    (await metadata.tagsOf(WHERE)).map(({ tag }) => tag);
  const usedDaysAgo = async (days: number, digest: Digest) =>
    void (await query(
      "update manifest_uses set used_at = floor(extract(epoch from now()) * 1000) - $1::bigint * 86400000 where digest = $2",
      [days, digest],
    ));
  const [old, used, stored, young] = [image("old"), image("used"), image("stored"), image("young")];
  for (const each of [old, used, stored, young]) {
    await a.pull(each);
    await b.read(each);
    await usedDaysAgo(each === young ? 119 : 121, each.manifest.digest);
  }
  await query("insert into blobs (digest, size, object_key, epoch) values ($1, 7, 'key', 1)", [
    stored.layer.digest,
  ]);
  for (const each of [b, a]) await each.sweep();
  // It was cut off, and tells that it was used there ten days ago.
  await recordManifestUses(b.database, new Map([[used.manifest.digest, clock.now() - 10 * 86_400_000]]));
  await b.sweep();
  expect(await tags(a)).toEqual(["old", "stored", "used", "young"]);
  await a.sweep();
  expect(await tags(a)).toEqual(["stored", "used", "young"]);
  expect(await query("select tag from tags order by tag")).toHaveLength(3);
  expect(await query("select digest from manifests where digest = $1", [old.manifest.digest])).toEqual([]);
  await b.journal.read();
  await expect.poll(() => tags(b.own)).toEqual(["stored", "used", "young"]);
  // What it listed is for the bucket's janitor to let go of, should it come there after all; nothing else is.
  expect(await query("select digest from leaving")).toEqual([{ digest: old.layer.digest }]);
  await b.pull(old);
  expect(await a.metadata.link(WHERE, old.layer.digest)).toMatchObject({ stated: 7 });
});

test("a use that is dated after the database's own date counts as one of now", async () => {
  const a = await node(await server.current.createDatabase(), "a");
  const used = image("used");
  await a.pull(used);
  await recordManifestUses(a.database, new Map([[used.manifest.digest, clock.now() + 365 * 86_400_000]]));
  const [row] = await a.database.query<{ usedAt: number }>(`select used_at as "usedAt" from manifest_uses`);
  expect(Math.abs((row?.usedAt ?? 0) - clock.now())).toBeLessThan(60_000);
});
