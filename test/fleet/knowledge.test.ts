/** Shows that what a node of a fleet knows behaves as what a node alone knows, whatever the shared database does. */
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { sharedContents } from "../../src/fleet/knowledge/shared-contents.ts";
import { sharedMetadata } from "../../src/fleet/knowledge/shared-metadata.ts";
import { sharedRules } from "../../src/fleet/knowledge/shared-rules.ts";
import { openDatabase } from "../../src/metadata/database.ts";
import type { LinkChange } from "../../src/metadata/metadata.ts";
import { type Clock, systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { metadataContract } from "../contract/metadata-contract.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { tempDirectory } from "../support/temp-directory.ts";

/** A database that all nodes share would be PostgreSQL; here it is another SQLite, which can be away. */
async function sharedDatabase() {
  const database = openDatabase(join(await tempDirectory(), "shared.db"));
  onTestFinished(() => database.close());
  const state = { away: false };
  const orAway = <T extends object>(rows: T): T =>
    new Proxy(rows, {
      get: (target, name) => {
        const found = Reflect.get(target, name) as unknown;
        if (typeof found !== "function") return found;
        return async (...values: unknown[]) => {
          if (state.away) throw new GranaryError("fleet-unavailable", "It is away.");
          return await (found as (...all: unknown[]) => unknown).apply(target, values);
        };
      },
    });
  const { metadata, rules, contents } = database;
  return { state, metadata: orAway(metadata), rules: orAway(rules), contents: orAway(contents) };
}

type Shared = Awaited<ReturnType<typeof sharedDatabase>>;

async function nodeOver(
  shared: Pick<Shared, "metadata" | "rules" | "contents">,
  directory?: string,
  clock: Clock = systemClock,
) {
  const path = join(directory ?? (await tempDirectory()), "own.db");
  const own = openDatabase(path);
  onTestFinished(() => own.close());
  const { metadata: local } = own;
  const imported: string[] = [];
  const metadata = sharedMetadata({
    ...{
      local,
      copies: local,
      shared: shared.metadata,
      log: silentLog,
      clock,
      used: () => undefined,
    },
    imported: (digests) => imported.push(...digests),
  });
  const told: unknown[] = [];
  const journal = { tell: async (news: unknown) => void told.push(news) };
  const rules = sharedRules({ local: own.rules, shared: shared.rules, journal });
  const contents = sharedContents({ local: own.contents, shared: shared.contents, journal });
  return { own, metadata, rules, contents, told, imported };
}

metadataContract("a node of a fleet", async () => {
  const shared = await sharedDatabase();
  const directory = await tempDirectory();
  const { metadata } = await nodeOver(shared, directory);
  return { metadata, reopen: async () => (await nodeOver(shared, directory)).metadata };
});

const WHERE = { upstream: "docker.io", repository: "library/alpine" };
const KEY = { ...WHERE, tag: "3", acceptClass: "" };
const BYTES = Buffer.from(`{"schemaVersion":2}`);
const MANIFEST = {
  digest: digestOf(BYTES),
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  bytes: BYTES,
};
const TAG = {
  ...KEY,
  digest: MANIFEST.digest,
  mediaType: MANIFEST.mediaType,
  size: BYTES.length,
  checkedAt: 1_000,
};

describe("a link that is not confirmed", () => {
  const CONFIRMED: LinkChange = {
    kind: "confirmed",
    digest: MANIFEST.digest,
    size: 7,
    isMeasured: false,
    mediaType: undefined,
  };

  async function counted() {
    const shared = await sharedDatabase();
    const asked = { links: 0 };
    const counting = new Proxy(shared.metadata, {
      get: (target, name) => {
        if (name === "link") asked.links += 1;
        return Reflect.get(target, name) as unknown;
      },
    });
    const clock = new FakeClock();
    const { metadata } = await nodeOver({ ...shared, metadata: counting }, undefined, clock);
    return { shared, asked, clock, metadata };
  }

  test("is one question to the shared database for a crowd, and for all steps of one request", async () => {
    const { asked, metadata } = await counted();
    const crowd = Array.from({ length: 100 }, () => metadata.link(WHERE, MANIFEST.digest));
    expect(new Set(await Promise.all(crowd))).toEqual(new Set([undefined]));
    expect(await metadata.link(WHERE, MANIFEST.digest)).toBeUndefined();
    expect(asked.links).toBe(1);
    await metadata.link({ ...WHERE, repository: "library/debian" }, MANIFEST.digest);
    expect(asked.links).toBe(2);
  });

  test("is there as soon as this node confirms it, and a tenth of a second after another node did", async () => {
    const { shared, clock, metadata } = await counted();
    const other = digestOf(Buffer.from("another one"));
    expect(await metadata.link(WHERE, MANIFEST.digest)).toBeUndefined();
    expect(await metadata.link(WHERE, other)).toBeUndefined();
    await metadata.recordLink(WHERE, { ...CONFIRMED, digest: other });
    expect(await metadata.link(WHERE, other)).toMatchObject({ confirmed: { size: 7 } });
    await shared.metadata.recordLink(WHERE, CONFIRMED);
    await clock.advance(101);
    expect(await metadata.link(WHERE, MANIFEST.digest)).toMatchObject({ confirmed: { size: 7 } });
  });

  test("is stated here, whatever the fleet said before that", async () => {
    const { metadata } = await counted();
    expect(await metadata.link(WHERE, MANIFEST.digest)).toBeUndefined();
    await metadata.recordLink(WHERE, { kind: "stated", digest: MANIFEST.digest, size: 5 });
    expect(await metadata.link(WHERE, MANIFEST.digest)).toMatchObject({ stated: 5, confirmed: undefined });
  });
});

describe("two nodes", () => {
  test("know what the other has learned, and keep it when the shared database goes away", async () => {
    const shared = await sharedDatabase();
    const [a, b] = [await nodeOver(shared), await nodeOver(shared)];
    await a.metadata.recordManifest(WHERE, MANIFEST, []);
    await a.metadata.recordTag(TAG);
    expect(await b.metadata.tag(KEY)).toMatchObject({ digest: MANIFEST.digest });
    expect((await b.metadata.manifest(MANIFEST.digest))?.digest).toBe(MANIFEST.digest);
    expect((await b.metadata.link(WHERE, MANIFEST.digest))?.confirmed).toBeDefined();
    shared.state.away = true;
    expect(await b.metadata.tag(KEY)).toMatchObject({ digest: MANIFEST.digest });
    expect((await b.metadata.manifest(MANIFEST.digest))?.bytes.length).toBe(BYTES.length);
    expect((await b.metadata.link(WHERE, MANIFEST.digest))?.confirmed).toBeDefined();
  });

  test("share what somebody brings in at one of them, of which no upstream may know", async () => {
    const shared = await sharedDatabase();
    const [a, b] = [await nodeOver(shared), await nodeOver(shared)];
    const layer = digestOf(Buffer.from("layer"));
    const record = {
      where: WHERE,
      manifests: [{ manifest: MANIFEST, listed: [] }],
      blobs: [{ digest: layer, size: 5 }],
    };
    await a.metadata.recordImport({ ...record, tag: { ...TAG, importedAt: 1_000 } });
    expect(a.imported).toEqual([layer]);
    expect((await b.metadata.link(WHERE, layer))?.isImported).toBe(true);
    expect(await b.metadata.tag(KEY)).toMatchObject({ importedAt: 1_000 });
    shared.state.away = true;
    await expect(a.metadata.recordImport({ ...record, tag: undefined })).rejects.toMatchObject({
      code: "fleet-unavailable",
    });
  });

  test("use the newer of two answers for a tag", async () => {
    const shared = await sharedDatabase();
    const [a, b] = [await nodeOver(shared), await nodeOver(shared)];
    await a.metadata.recordTag(TAG);
    await b.metadata.tag(KEY);
    const other = digestOf(Buffer.from("moved"));
    await a.metadata.recordTag({ ...TAG, digest: other, checkedAt: 2_000 });
    expect(await b.metadata.tag(KEY)).toMatchObject({ digest: other });
  });

  test("tell what they learned alone when the shared database is back, in order", async () => {
    const shared = await sharedDatabase();
    const [a, b] = [await nodeOver(shared), await nodeOver(shared)];
    shared.state.away = true;
    await a.metadata.recordTag(TAG);
    await a.metadata.recordTag({ ...TAG, checkedAt: 3_000 });
    expect(a.metadata.unshared).toBe(2);
    expect(await b.metadata.tag(KEY)).toBeUndefined();
    shared.state.away = false;
    await a.metadata.flushShared();
    expect(await b.metadata.tag(KEY)).toMatchObject({ checkedAt: 3_000 });
  });

  test("that a copy of a document comes with no link: knowing a digest permits nothing", async () => {
    const shared = await sharedDatabase();
    const [a, b] = [await nodeOver(shared), await nodeOver(shared)];
    await a.metadata.recordManifest(WHERE, MANIFEST, []);
    await b.metadata.manifest(MANIFEST.digest);
    const elsewhere = { ...WHERE, repository: "private/other" };
    expect(await b.metadata.link(elsewhere, MANIFEST.digest)).toBeUndefined();
  });

  test("have the same rules; a change while the shared database is away is refused and changes nothing", async () => {
    const shared = await sharedDatabase();
    const [a, b] = [await nodeOver(shared), await nodeOver(shared)];
    const rule = { kind: "keep", pattern: "docker.io/library/**", detail: undefined, madeAt: 5 };
    await a.rules.record(rule);
    expect(await b.rules.of("keep")).toEqual([rule]);
    expect(a.told).toEqual([{ kind: "rules", body: "keep" }]);
    shared.state.away = true;
    expect(await b.rules.of("keep")).toEqual([rule]);
    await expect(b.rules.record({ ...rule, pattern: "x" })).rejects.toMatchObject({
      code: "fleet-unavailable",
    });
    expect(await b.own.rules.of("keep")).toEqual([rule]);
    shared.state.away = false;
    await a.rules.forget("keep", rule.pattern);
    expect(await b.rules.of("keep")).toEqual([]);
    expect(await b.own.rules.of("keep")).toEqual([]);
  });

  test("remove for all: the names leave the shared database and this node's, and the others hear of it", async () => {
    const shared = await sharedDatabase();
    const [a, b] = [await nodeOver(shared), await nodeOver(shared)];
    await a.metadata.recordManifest(WHERE, MANIFEST, []);
    await a.metadata.recordTag(TAG);
    await b.metadata.tag(KEY);
    const leaving = { ...WHERE, isAll: false, tags: ["3"], digests: [] };
    const left = await a.contents.leave(leaving);
    expect(left.unlinked).toEqual([MANIFEST.digest]);
    expect(a.told).toEqual([{ kind: "left", body: leaving }]);
    expect(await a.metadata.tag(KEY)).toBeUndefined();
    await b.own.contents.leave(leaving);
    expect(await b.metadata.tag(KEY)).toBeUndefined();
    shared.state.away = true;
    await expect(b.contents.leave(leaving)).rejects.toMatchObject({ code: "fleet-unavailable" });
  });
});
