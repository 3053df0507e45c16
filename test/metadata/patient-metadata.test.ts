/** Shows that a database which cannot be written or read keeps nothing from anybody, forgets nothing that fits, and permits nothing. */
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { openDatabase } from "../../src/metadata/database.ts";
import { patientMetadata } from "../../src/metadata/patient-metadata.ts";
import { Episodes } from "../../src/observe/episodes.ts";
import { silentLog } from "../../src/observe/log.ts";
import type { Trouble } from "../../src/observe/troubles.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { metadataContract } from "../contract/metadata-contract.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { faulty } from "../support/faulty-metadata.ts";
import { tempDirectory } from "../support/temp-directory.ts";

const WHERE = { upstream: "docker.io", repository: "library/alpine" };

async function world(path?: string) {
  const at = path ?? join(await tempDirectory(), "granary.db");
  const real = openDatabase(at).metadata;
  const { metadata: behind, faults } = faulty(real);
  const clock = new FakeClock();
  const troubles = new Episodes<Trouble>(silentLog, clock, Number.POSITIVE_INFINITY);
  let asked = 0;
  const metadata = patientMetadata(behind, { clock, troubles });
  metadata.onFull(() => asked++);
  onTestFinished(() => metadata.close());
  return { path: at, real, metadata, faults, clock, troubles, asked: () => asked };
}

function digestAt(index: number): Digest {
  return digestOf(Buffer.from(`content ${index}`));
}

metadataContract(
  "a database behind patience",
  async () => {
    const { path, metadata } = await world();
    return { metadata, reopen: async () => (await world(path)).metadata };
  },
  { forgives: true },
);

metadataContract(
  "a database on a full disk, until there is room at the end",
  async () => {
    const { path, metadata, faults } = await world();
    faults.write = new GranaryError("store-full", "The metadata failed: SQLITE_FULL.");
    const close = async () => {
      faults.write = undefined;
      await metadata.close();
    };
    return { metadata: { ...metadata, close }, reopen: async () => (await world(path)).metadata };
  },
  { forgives: true },
);

test("all that was learned while the disk was full is written when there is room, in the order in which it came", async () => {
  const { real, metadata, faults, clock, troubles, asked } = await world();
  await metadata.recordBlob({ digest: digestAt(1), size: 10, usedAt: 1 });
  await metadata.recordTag(tagOf("old", 1));
  faults.write = new GranaryError("store-full", "The metadata failed: SQLITE_FULL.");
  await metadata.forgetBlobs([digestAt(1)]);
  await metadata.recordBlob({ digest: digestAt(2), size: 20, usedAt: 2 });
  await metadata.forgetTag(tagOf("old", 1));
  await metadata.recordTag(tagOf("new", 2));
  await metadata.recordTag(tagOf("new", 3));
  await metadata.recordLink(WHERE, { kind: "stated", digest: digestAt(4), size: 5 });
  await metadata.recordLink(WHERE, { kind: "unsized", digest: digestAt(4) });
  await metadata.recordVisibility(WHERE, { isPublic: false, checkedAt: 7 });
  expect(await real.tag(tagOf("new", 2))).toBeUndefined();
  expect(troubles.current).toEqual([
    expect.stringMatching(/^The database cannot be written .*SQLITE_FULL.*free some space/),
  ]);
  await clock.advance(10_000);
  expect(troubles.current).toHaveLength(1);
  expect(asked()).toBeGreaterThan(1);
  faults.write = undefined;
  await clock.advance(10_000);
  expect(troubles.current).toEqual([]);
  expect(await real.blobsAfter("", 1_000_000)).toEqual([{ digest: digestAt(2), size: 20, usedAt: 2 }]);
  expect((await real.tagsOf(WHERE)).map(({ tag }) => tag)).toEqual(["new"]);
  expect((await real.tag(tagOf("new", 2)))?.digest).toBe(digestAt(3));
  expect(await real.link(WHERE, digestAt(4))).toMatchObject({ stated: undefined, confirmed: undefined });
  expect(await real.visibility(WHERE)).toEqual({ isPublic: false, checkedAt: 7 });
});

test("a row that can never be written keeps no other from being written", async () => {
  const { real, metadata, faults, clock } = await world();
  faults.write = new GranaryError("store-damaged", "The metadata failed: SQLITE_IOERR.");
  for (let index = 0; index < 20; index++) await metadata.recordTag(tagOf(`t${index}`, index));
  const bad = tagOf("t0", 0).tag;
  faults.writeIf = (method, args) => method !== "recordTag" || !JSON.stringify(args).includes(`"${bad}"`);
  await clock.advance(60_000);
  expect(await real.tagsOf(WHERE)).toHaveLength(19);
  expect(await metadata.tagsOf(WHERE)).toHaveLength(20);
});

test("a database that cannot be read knows nothing, and the start of a decision about every file is not made from that", async () => {
  const { metadata, faults, clock, troubles } = await world();
  await metadata.recordLink(WHERE, { kind: "stated", digest: digestAt(1), size: 5 });
  await metadata.recordVisibility(WHERE, { isPublic: true, checkedAt: 7 });
  await metadata.recordBlob({ digest: digestAt(1), size: 10, usedAt: 1 });
  expect(await metadata.sums()).toEqual({ blobs: 1, bytes: 10, manifests: 0 });
  faults.read = new GranaryError("store-damaged", "The metadata failed: SQLITE_IOERR_READ.");
  expect(await metadata.link(WHERE, digestAt(1))).toBeUndefined();
  expect(await metadata.visibility(WHERE)).toBeUndefined();
  expect(await metadata.coldestBlobs(10)).toEqual([]);
  // What is on the disk did not become less because nobody can read of it.
  expect(await metadata.sums()).toEqual({ blobs: 1, bytes: 10, manifests: 0 });
  await expect(metadata.blobsAfter("", 1_000_000)).rejects.toMatchObject({ code: "store-damaged" });
  expect(troubles.current).toEqual([expect.stringContaining("The database cannot be read")]);
  faults.read = undefined;
  expect(await metadata.link(WHERE, digestAt(1))).toBeDefined();
  await clock.advance(120_000);
  await metadata.sums();
  expect(troubles.current).toEqual([]);
});

test("memory for what waits is bounded: the oldest is forgotten first", async () => {
  const { metadata, faults } = await world();
  faults.write = new GranaryError("store-full", "The metadata failed: SQLITE_FULL.");
  const manifests = Array.from({ length: 20 }, (_, index) => {
    const bytes = Buffer.alloc(4 * 2 ** 20, index);
    return { digest: digestOf(bytes), mediaType: "x/y", bytes };
  });
  for (const manifest of manifests) await metadata.recordManifest(WHERE, manifest, []);
  const known = await Promise.all(
    manifests.map(async ({ digest }) => (await metadata.manifest(digest)) !== undefined),
  );
  expect(known[0]).toBe(false);
  expect(known.at(-1)).toBe(true);
  expect(known.filter(Boolean).length).toBeLessThanOrEqual(16);
});

test("what waits counts in the sums, in place of what is written of it", async () => {
  const { metadata, faults, clock } = await world();
  const put = (index: number, size: number) =>
    metadata.recordBlob({ digest: digestAt(index), size, usedAt: 1 });
  await put(1, 10);
  await put(2, 20);
  faults.write = new GranaryError("store-full", "The metadata failed: SQLITE_FULL.");
  await put(2, 25);
  await put(3, 30);
  await put(3, 31);
  await metadata.forgetBlobs([digestAt(1), digestAt(4)]);
  const sums = { blobs: 2, bytes: 56, manifests: 0 };
  for (let pass = 0; pass < 2; pass++) expect(await metadata.sums()).toEqual(sums);
  faults.write = undefined;
  await clock.advance(10_000);
  expect(await metadata.sums()).toEqual(sums);
});

test("a closed database stays closed: that is no trouble of the disk", async () => {
  const { metadata, troubles } = await world();
  await metadata.close();
  await expect(metadata.recordTag(tagOf("a", 1))).rejects.toMatchObject({ code: "closed" });
  await expect(metadata.sums()).rejects.toMatchObject({ code: "closed" });
  expect(troubles.current).toEqual([]);
});

function tagOf(tag: string, index: number) {
  return { ...WHERE, tag, acceptClass: "", digest: digestAt(index), mediaType: "x/y", size: 3, checkedAt: 9 };
}
