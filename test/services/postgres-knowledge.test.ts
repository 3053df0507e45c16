/** Owns that the Knowledge over PostgreSQL keeps the contract of every Knowledge, also while several nodes write to it at once. */
import { expect, onTestFinished, test } from "vitest";
import { openFleetDatabase } from "../../src/fleet/postgres/connection.ts";
import type { FleetDatabase, FleetQuery } from "../../src/fleet/postgres/fleet-database.ts";
import { postgresKnowledge } from "../../src/fleet/postgres/knowledge/postgres-knowledge.ts";
import type { LinkChange, ListRecord } from "../../src/metadata/metadata.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { knowledgeContract } from "../contract/knowledge-contract.ts";
import { serverOfFile } from "../support/services/server-of-file.ts";

const server = serverOfFile();

async function opened(address: string) {
  const database = await openFleetDatabase(address, { log: silentLog, clock: systemClock });
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

const WHERE = { upstream: "docker.io", repository: "library/alpine" };
const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

function digestAt(index: number): Digest {
  return digestOf(Buffer.from(`content ${index}`));
}

/** Its manifest, and what it lists, of so many children. */
function indexOf(count: number) {
  const children = Array.from({ length: count }, (_, index) => ({
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: digestAt(index),
    size: 1_000 + index,
  }));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: children }));
  return {
    manifest: { digest: digestOf(bytes), mediaType: OCI_INDEX, bytes },
    listed: children.map(({ digest, size }) => ({ digest, size })),
  };
}

/** Counts what is asked. */
function counting(database: FleetDatabase) {
  const asked: string[] = [];
  const counted =
    (query: FleetQuery): FleetQuery =>
    (text, values) => {
      asked.push(text);
      return query(text, values);
    };
  const counter: FleetDatabase = {
    query: counted(database.query),
    inTransaction: (work) => database.inTransaction((query) => work(counted(query))),
    isAnswering: true,
    onAnswering: (listener) => database.onAnswering(listener),
    close: () => database.close(),
  };
  return { counter, asked };
}

async function nodesAt(count: number) {
  const address = await server.current.createDatabase();
  const databases = await Promise.all(Array.from({ length: count }, () => opened(address)));
  return { address, databases, nodes: databases.map(postgresKnowledge) };
}

test("a manifest with a hundred children is a handful of statements, and fewer when it is known", async () => {
  const { databases } = await nodesAt(1);
  const { counter, asked } = counting(databases[0] as FleetDatabase);
  const knowledge = postgresKnowledge(counter);
  const { manifest, listed } = indexOf(100);
  await knowledge.recordManifest(WHERE, manifest, listed);
  expect(asked.length).toBeLessThanOrEqual(6);
  expect(await knowledge.link(WHERE, digestAt(99))).toMatchObject({ stated: 1_099 });
  asked.length = 0;
  await knowledge.recordManifest(WHERE, manifest, listed);
  expect(asked.length).toBeLessThanOrEqual(3);
  asked.length = 0;
  await knowledge.recordLink(WHERE, { kind: "stated", digest: digestAt(1), size: 1_001 });
  expect(asked).toHaveLength(1);
});

test("a link that is new, known already, or known better now is one statement or two", async () => {
  const { databases } = await nodesAt(1);
  const { counter, asked } = counting(databases[0] as FleetDatabase);
  const knowledge = postgresKnowledge(counter);
  const digest = digestAt(1);
  const confirmed = { kind: "confirmed", digest, size: 10, mediaType: undefined } as const;
  const statementsFor = async (change: LinkChange) => {
    asked.length = 0;
    await knowledge.recordLink(WHERE, change);
    return asked.length;
  };
  expect(await statementsFor({ ...confirmed, isMeasured: false })).toBe(1);
  expect(await statementsFor({ ...confirmed, isMeasured: false })).toBe(1);
  expect(await statementsFor({ ...confirmed, isMeasured: true })).toBe(2);
  expect(await knowledge.link(WHERE, digest)).toMatchObject({ confirmed: { size: 10, isMeasured: true } });
});

test("what a manifest lists is known as its edges, goes with it, and comes back with it", async () => {
  const { databases, nodes } = await nodesAt(1);
  const [knowledge] = nodes;
  const { manifest, listed } = indexOf(3);
  const edges = () => databases[0]?.query("select child, role, size from edges order by place");
  const all = listed.map(({ digest, size }) => ({ child: digest, role: "child", size }));
  for (let times = 0; times < 2; times++) {
    await knowledge?.recordManifest(WHERE, manifest, listed);
    await knowledge?.recordManifest(WHERE, manifest, listed);
    expect(await edges()).toEqual(all);
    await knowledge?.forgetManifest(manifest.digest);
    expect(await edges()).toEqual([]);
  }
});

test("what one node records, the others read", async () => {
  const { nodes } = await nodesAt(2);
  const [a, b] = nodes;
  const { manifest, listed } = indexOf(2);
  await a?.recordManifest(WHERE, manifest, listed);
  expect(await b?.manifest(manifest.digest)).toEqual(manifest);
  expect(await b?.link(WHERE, digestAt(1))).toMatchObject({ stated: 1_001 });
});

test("nodes that learn different things of the same links at once lose none of them", async () => {
  const { nodes } = await nodesAt(3);
  const digests = Array.from({ length: 40 }, (_, index) => digestAt(index));
  const shuffled = [...digests].reverse();
  const changes = [
    (digest: Digest) => ({ kind: "stated", digest, size: 10 }) as const,
    (digest: Digest) =>
      ({ kind: "confirmed", digest, size: 20, isMeasured: false, mediaType: "a/b" }) as const,
    (digest: Digest) => ({ kind: "imported", digest, size: 30, mediaType: undefined }) as const,
  ];
  await Promise.all(
    nodes.flatMap((node, index) =>
      (index === 1 ? shuffled : digests).map((digest) => {
        const change = changes[index]?.(digest);
        return change && node.recordLink(WHERE, change);
      }),
    ),
  );
  for (const digest of digests)
    expect(await nodes[0]?.link(WHERE, digest)).toMatchObject({
      ...{ stated: 10, isImported: true, confirmed: { size: 30, isMeasured: true, mediaType: "a/b" } },
    });
});

test("nodes that record the same manifests at once, in any order, all succeed", async () => {
  const { databases, nodes } = await nodesAt(4);
  const documents = [20, 30, 40, 50].map(indexOf);
  await Promise.all(
    nodes.flatMap((node, index) =>
      documents.map((_, place) => {
        const { manifest, listed } = documents[(place + index) % documents.length] ?? indexOf(1);
        return node.recordManifest(WHERE, manifest, [...listed].reverse());
      }),
    ),
  );
  const counts = "select (select count(*) from links) as links, (select count(*) from edges) as edges";
  expect(await databases[0]?.query(counts)).toEqual([{ links: 54, edges: 140 }]);
});

test("an import that fails in its middle leaves nothing", async () => {
  const { nodes } = await nodesAt(1);
  const [knowledge] = nodes;
  const { manifest, listed } = indexOf(2);
  const tag = { ...WHERE, tag: "latest", acceptClass: "", digest: manifest.digest, mediaType: OCI_INDEX };
  const record = {
    where: WHERE,
    manifests: [{ manifest, listed }],
    blobs: [{ digest: digestAt(7), size: 7 }],
    tag: { ...tag, size: 1.5, checkedAt: 1, importedAt: 1 },
  };
  await expect(knowledge?.recordImport(record)).rejects.toMatchObject({ code: "store-damaged" });
  expect(await knowledge?.manifest(manifest.digest)).toBeUndefined();
  expect(await knowledge?.link(WHERE, digestAt(7))).toBeUndefined();
});

test("of the pages of one repository's tags only the newest are stored, and its whole list always", async () => {
  const { databases, nodes } = await nodesAt(1);
  const [knowledge] = nodes;
  const page = (name: string, checkedAt: number): ListRecord => ({
    ...WHERE,
    kind: "tags",
    ...{ name, body: Buffer.from(name), isPacked: false, detail: undefined, checkedAt },
  });
  await knowledge?.recordList(page("", 0));
  for (let n = 0; n < 40; n++) await knowledge?.recordList(page(`n=${n}`, n));
  await knowledge?.recordList({ ...page("", 50), kind: "referrers" });
  const names = await databases[0]?.query(
    "select name from lists where kind = 'tags' order by checked_at, name",
  );
  expect(names?.map((row) => Object.values(row)[0])).toEqual([
    "",
    ...Array.from({ length: 32 }, (_, index) => `n=${index + 8}`),
  ]);
});

test("nothing is known and nothing recorded while the database is away, and it is all there afterwards", async () => {
  const { nodes } = await nodesAt(1);
  const [knowledge] = nodes;
  const { manifest, listed } = indexOf(2);
  await knowledge?.recordManifest(WHERE, manifest, listed);
  await server.current.kill();
  const away = { code: "fleet-unavailable" };
  await expect(knowledge?.manifest(manifest.digest)).rejects.toMatchObject(away);
  await expect(knowledge?.recordManifest(WHERE, manifest, listed)).rejects.toMatchObject(away);
  await server.current.start();
  await expect.poll(() => knowledge?.manifest(manifest.digest).catch(() => undefined)).toEqual(manifest);
});
