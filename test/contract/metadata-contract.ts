/** Owns the contract of every Metadata: what metadata/metadata.ts promises, run once per backend. */
import { describe, expect, test } from "vitest";
import type { BlobRecord, ListKey, ListRecord, Metadata, TagRecord } from "../../src/metadata/metadata.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";

const HERE = { upstream: "docker.io", repository: "library/alpine" };
const ELSEWHERE = { upstream: "ghcr.io", repository: "library/alpine" };

const KEY = { ...HERE, tag: "latest", acceptClass: "" };

function digestAt(index: number): Digest {
  return digestOf(Buffer.from(`content ${index}`));
}

function tagRecord(changes: Partial<TagRecord> = {}): TagRecord {
  return {
    ...KEY,
    digest: digestAt(1),
    mediaType: "application/vnd.oci.image.index.v1+json",
    size: 1234,
    checkedAt: 1_795_000_000_000,
    ...changes,
  };
}

/**
 * `open` gives an empty Metadata; `reopen` one over the same content, after the first was closed. One that `forgives` says nothing of
 * rows that it cannot write.
 */
export function metadataContract(
  backend: string,
  open: () => Promise<{ metadata: Metadata; reopen(): Promise<Metadata> }>,
  { forgives = false } = {},
): void {
  describe(`${backend}: blobs`, () => {
    test("are known until forgotten, with the size and use of the last record", async () => {
      const { metadata } = await open();
      const digest = digestAt(1);
      expect(await metadata.blob(digest)).toBeUndefined();
      await metadata.recordBlob({ digest, size: 5, usedAt: 100 });
      await metadata.recordBlob({ digest, size: 2 ** 43 + 1, usedAt: 1_795_473_505_184 });
      expect(await metadata.blob(digest)).toEqual({ digest, size: 2 ** 43 + 1, usedAt: 1_795_473_505_184 });
      expect(await metadata.sums()).toEqual({ blobs: 1, bytes: 2 ** 43 + 1, manifests: 0 });
      await metadata.forgetBlobs([digest]);
      await metadata.forgetBlobs([digest]);
      expect(await metadata.blob(digest)).toBeUndefined();
      expect(await metadata.sums()).toEqual({ blobs: 0, bytes: 0, manifests: 0 });
    });

    test("come coldest first out of ten thousand, page after page, after uses in one batch", async () => {
      const { metadata } = await open();
      const count = 10_000;
      const uses = new Map<Digest, number>();
      for (let index = 0; index < count; index++) {
        const digest = digestAt(index);
        await metadata.recordBlob({ digest, size: index, usedAt: 0 });
        uses.set(digest, 1 + ((index * 7919) % count));
      }
      await metadata.touch(uses);
      const found: BlobRecord[] = [];
      while (found.length < count) found.push(...(await metadata.coldestBlobs(3000, found.at(-1))));
      expect(found.map(({ usedAt }) => usedAt)).toEqual(
        Array.from({ length: count }, (_, index) => index + 1),
      );
      expect(found.every(({ digest, usedAt }) => uses.get(digest) === usedAt)).toBe(true);
      expect(await metadata.coldestBlobs(10, found.at(-1))).toEqual([]);
      expect(await metadata.blobsAfter("", 1_000_000)).toHaveLength(count);
      expect(await metadata.sums()).toEqual({
        blobs: count,
        bytes: (count * (count - 1)) / 2,
        manifests: 0,
      });
    });

    test("are not made by a use, nor made colder by a late one", async () => {
      const { metadata } = await open();
      await metadata.recordBlob({ digest: digestAt(1), size: 5, usedAt: 100 });
      await metadata.touch(
        new Map([
          [digestAt(1), 50],
          [digestAt(2), 200],
        ]),
      );
      expect(await metadata.blobsAfter("", 1_000_000)).toEqual([
        { digest: digestAt(1), size: 5, usedAt: 100 },
      ]);
    });

    test("come in the order of their digests, page after page, and all that are told to go are gone", async () => {
      const { metadata } = await open();
      const digests = Array.from({ length: 100 }, (_, index) => digestAt(index));
      for (const [index, digest] of digests.entries())
        await metadata.recordBlob({ digest, size: index, usedAt: 7 });
      await metadata.touch(new Map([[digestAt(3), 9]]));
      const all = async () => {
        const found: BlobRecord[] = [];
        for (let page = await metadata.blobsAfter("", 30); page.length > 0; ) {
          found.push(...page);
          page = await metadata.blobsAfter(found.at(-1)?.digest ?? "", 30);
        }
        return found;
      };
      const sorted = [...digests].sort();
      expect((await all()).map(({ digest }) => digest)).toEqual(sorted);
      expect((await all()).find(({ digest }) => digest === digestAt(3))?.usedAt).toBe(9);
      await metadata.forgetBlobs([...sorted.slice(0, 50), digestAt(1_000)]);
      await metadata.forgetBlobs([]);
      expect((await all()).map(({ digest }) => digest)).toEqual(sorted.slice(50));
    });

    test("are summed up as they come, change their size and go, manifests too", async () => {
      const { metadata } = await open();
      const put = (index: number, size: number) =>
        metadata.recordBlob({ digest: digestAt(index), size, usedAt: 1 });
      for (const [index, size] of [10, 20, 30].entries()) await put(index, size);
      await put(1, 25);
      await metadata.recordVerified(digestAt(1), 5);
      const manifest = { digest: digestAt(7), mediaType: "m", bytes: Buffer.from("{}") };
      for (let pass = 0; pass < 2; pass++) await metadata.recordManifest(HERE, manifest, []);
      expect(await metadata.sums()).toEqual({ blobs: 3, bytes: 65, manifests: 1 });
      await metadata.forgetBlobs([digestAt(0), digestAt(9)]);
      await metadata.forgetManifest(digestAt(7));
      expect(await metadata.sums()).toEqual({ blobs: 2, bytes: 55, manifests: 0 });
      await put(0, 1);
      expect(await metadata.sums()).toEqual({ blobs: 3, bytes: 56, manifests: 0 });
    });

    test("are to be verified when they never were, or not for long, or at a time that cannot be true", async () => {
      const { metadata } = await open();
      const times = [undefined, 500, 100, 9_000, 400];
      for (const [index, verifiedAt] of times.entries()) {
        const row = { digest: digestAt(index), size: index, usedAt: 7 };
        await metadata.recordBlob({ ...row, ...(verifiedAt !== undefined && { verifiedAt }) });
      }
      const due = () => metadata.blobsToVerify(450, 1_000, 10);
      expect((await due()).map(({ verifiedAt }) => verifiedAt)).toEqual([undefined, 100, 400, 9_000]);
      expect(await metadata.blobsToVerify(450, 1_000, 1)).toHaveLength(1);
      for (const index of [0, 3, 77]) await metadata.recordVerified(digestAt(index), 950);
      expect((await due()).map(({ verifiedAt }) => verifiedAt)).toEqual([100, 400]);
      expect(await metadata.blob(digestAt(0))).toEqual({
        digest: digestAt(0),
        size: 0,
        usedAt: 7,
        verifiedAt: 950,
      });
      await metadata.recordBlob({ digest: digestAt(0), size: 1, usedAt: 8 });
      expect(await metadata.blob(digestAt(0))).toEqual({ digest: digestAt(0), size: 1, usedAt: 8 });
    });

    test("used after now were used before it, in the order that they had", async () => {
      const { metadata } = await open();
      const uses = [90, 5_000, 4_000, 100, 9_000];
      for (const [index, usedAt] of uses.entries())
        await metadata.recordBlob({ digest: digestAt(index), size: 1, usedAt });
      await metadata.clampUses(1_000, 990);
      const found = await metadata.coldestBlobs(10);
      expect(found.map(({ digest }) => digest)).toEqual([0, 3, 2, 1, 4].map(digestAt));
      expect(found.map(({ usedAt }) => usedAt)).toEqual([90, 100, 987, 988, 989]);
      await metadata.clampUses(1_000, 1_000);
      expect(await metadata.coldestBlobs(10)).toEqual(found);
    });
  });

  describe(`${backend}: manifests`, () => {
    test("keep their exact bytes and media type, sha512 too", async () => {
      const { metadata, reopen } = await open();
      const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => (index * 31) % 256);
      const digest = digestOf(bytes, "sha512");
      const manifest = { digest, mediaType: "application/vnd.oci.image.manifest.v1+json; odd", bytes };
      expect(await metadata.manifest(digest)).toBeUndefined();
      await metadata.recordManifest(HERE, manifest, []);
      await metadata.recordManifest(HERE, manifest, []);
      expect((await metadata.sums()).manifests).toBe(1);
      await metadata.close();
      const again = await reopen();
      const found = await again.manifest(digest);
      expect(found).toMatchObject({ digest, mediaType: manifest.mediaType });
      expect(Buffer.from(found?.bytes ?? []).equals(bytes)).toBe(true);
    });

    test("are found one after another, and are gone when they are forgotten", async () => {
      const { metadata } = await open();
      for (const index of [1, 2, 3, 4, 5]) {
        const manifest = { digest: digestAt(index), mediaType: "m", bytes: Buffer.from(`${index}`) };
        await metadata.recordManifest(HERE, manifest, []);
      }
      const all = [1, 2, 3, 4, 5].map(digestAt).sort();
      const first = await metadata.manifestsAfter("", 3);
      expect(first.map(({ digest }) => digest)).toEqual(all.slice(0, 3));
      const rest = await metadata.manifestsAfter(first[2]?.digest ?? "", 3);
      expect(rest.map(({ digest }) => digest)).toEqual(all.slice(3));
      await metadata.forgetManifest(digestAt(1));
      await metadata.forgetManifest(digestAt(1));
      expect(await metadata.manifest(digestAt(1))).toBeUndefined();
      expect((await metadata.sums()).manifests).toBe(4);
    });

    test("link themselves and what they list to their repository only", async () => {
      const { metadata } = await open();
      const manifest = { digest: digestAt(1), mediaType: "m", bytes: Buffer.from("{}") };
      const links = [
        { digest: digestAt(2), size: 77 },
        { digest: digestAt(3), size: undefined },
      ];
      await metadata.recordManifest(HERE, manifest, links);
      const own = { size: 2, isMeasured: true, mediaType: manifest.mediaType };
      expect(await metadata.link(HERE, digestAt(1))).toMatchObject({ digest: digestAt(1), confirmed: own });
      for (const { digest, size } of links)
        expect(await metadata.link(HERE, digest)).toEqual({ digest, stated: size, confirmed: undefined });
      expect(await metadata.link(ELSEWHERE, digestAt(2))).toBeUndefined();
    });

    if (forgives) return;
    test("and their links are recorded wholly or not at all", async () => {
      const { metadata } = await open();
      const manifest = { digest: digestAt(1), mediaType: "m", bytes: Buffer.from("{}") };
      // Half a byte is refused, after the manifest and the first link were written.
      const links = [
        { digest: digestAt(2), size: 1 },
        { digest: digestAt(3), size: 1.5 },
      ];
      await expect(metadata.recordManifest(HERE, manifest, links)).rejects.toMatchObject({
        code: "store-damaged",
      });
      expect(await metadata.manifest(digestAt(1))).toBeUndefined();
      expect(await metadata.link(HERE, digestAt(2))).toBeUndefined();
    });
  });

  describe(`${backend}: links`, () => {
    const stated = (index: number, size: number | undefined) =>
      ({ kind: "stated", digest: digestAt(index), size }) as const;
    const confirmed = (index: number, size: number | undefined, isMeasured = false) =>
      ({ kind: "confirmed", digest: digestAt(index), size, isMeasured, mediaType: undefined }) as const;

    test("keep a size that a document stated when one without comes, and take a new one", async () => {
      const { metadata } = await open();
      const digest = digestAt(1);
      for (const [size, known] of [
        [undefined, undefined],
        [10, 10],
        [undefined, 10],
        [0, 0],
        [undefined, 0],
        [12, 12],
      ] as const) {
        await metadata.recordLink(HERE, stated(1, size));
        expect(await metadata.link(HERE, digest)).toEqual({ digest, stated: known, confirmed: undefined });
      }
    });

    test("tell what documents state from what the upstream said, and a word of its from a measure", async () => {
      const { metadata } = await open();
      const confirmation = async () => (await metadata.link(HERE, digestAt(1)))?.confirmed;
      await metadata.recordLink(HERE, confirmed(1, 7));
      await metadata.recordLink(HERE, stated(1, 8));
      expect(await confirmation()).toEqual({ size: 7, isMeasured: false, mediaType: undefined });
      await metadata.recordLink(HERE, { ...confirmed(1, undefined), mediaType: "a/b" });
      expect(await confirmation()).toEqual({ size: 7, isMeasured: false, mediaType: "a/b" });
      await metadata.recordLink(HERE, confirmed(1, 8, true));
      await metadata.recordLink(HERE, confirmed(1, 9));
      expect(await confirmation()).toEqual({ size: 8, isMeasured: true, mediaType: "a/b" });
      await metadata.recordLink(HERE, confirmed(1, 9, true));
      expect(await confirmation()).toEqual({ size: 9, isMeasured: true, mediaType: "a/b" });
      expect(await metadata.link(ELSEWHERE, digestAt(1))).toBeUndefined();
    });

    test("lose a size that was wrong in their repository alone, and stay links", async () => {
      const { metadata } = await open();
      for (const where of [HERE, ELSEWHERE]) {
        await metadata.recordLink(where, stated(1, 10));
        await metadata.recordLink(where, confirmed(1, 10, true));
        await metadata.recordLink(where, stated(2, 20));
      }
      const before = await metadata.link(ELSEWHERE, digestAt(1));
      await metadata.recordLink(HERE, { kind: "unsized", digest: digestAt(1) });
      const doubtful = { size: undefined, isMeasured: false, mediaType: undefined };
      expect(await metadata.link(HERE, digestAt(1))).toEqual({
        digest: digestAt(1),
        stated: undefined,
        confirmed: doubtful,
      });
      expect(await metadata.link(ELSEWHERE, digestAt(1))).toEqual(before);
      expect((await metadata.link(HERE, digestAt(2)))?.stated).toBe(20);
      await metadata.recordLink(HERE, confirmed(1, 11));
      expect((await metadata.link(HERE, digestAt(1)))?.confirmed?.size).toBe(11);
    });
  });

  describe(`${backend}: tags`, () => {
    test("are what was recorded last, by upstream, repository, tag and accept class", async () => {
      const { metadata } = await open();
      expect(await metadata.tag(KEY)).toBeUndefined();
      await metadata.recordTag(tagRecord({ digest: digestAt(9) }));
      await metadata.recordTag(tagRecord());
      await metadata.recordTag(tagRecord({ acceptClass: "schema1", digest: digestAt(2) }));
      await metadata.recordTag(tagRecord({ ...ELSEWHERE, digest: digestAt(3) }));
      expect(await metadata.tag(KEY)).toEqual(tagRecord());
      expect((await metadata.tag({ ...KEY, acceptClass: "schema1" }))?.digest).toBe(digestAt(2));
      expect((await metadata.tag({ ...KEY, ...ELSEWHERE }))?.digest).toBe(digestAt(3));
      await metadata.forgetTag(KEY);
      await metadata.forgetTag(KEY);
      expect(await metadata.tag(KEY)).toBeUndefined();
      expect((await metadata.tag({ ...KEY, acceptClass: "schema1" }))?.digest).toBe(digestAt(2));
    });

    test("of one repository come with the date of their last check, whatever types it was made for", async () => {
      const { metadata } = await open();
      await metadata.recordTag(tagRecord({ tag: "a", checkedAt: 5 }));
      await metadata.recordTag(tagRecord({ tag: "a", acceptClass: "schema1", checkedAt: 9 }));
      await metadata.recordTag(tagRecord({ tag: "b", checkedAt: 7 }));
      const known = await metadata.tagsOf(HERE);
      expect(known.map(({ tag, checkedAt }) => [tag, checkedAt])).toEqual([
        ["a", 9],
        ["b", 7],
      ]);
    });

    test("of one repository come in lexical order without duplicates", async () => {
      const { metadata } = await open();
      for (const tag of ["b", "a10", "a9", "A", "b"]) await metadata.recordTag(tagRecord({ tag }));
      await metadata.recordTag(tagRecord({ tag: "b", acceptClass: "schema1" }));
      await metadata.recordTag(tagRecord({ ...ELSEWHERE, tag: "other" }));
      const known = await metadata.tagsOf(HERE);
      expect(known.map(({ tag }) => tag)).toEqual(["A", "a10", "a9", "b"]);
      expect(await metadata.tagsOf({ ...HERE, repository: "none" })).toEqual([]);
    });

    test("lists are kept by kind and name, the last body of each", async () => {
      const { metadata } = await open();
      const list = (name: string, text: string, where = HERE): ListRecord => {
        const facts = { kind: "tags", isPacked: false, detail: undefined, checkedAt: 5 } as const;
        return { ...where, ...facts, name, body: Buffer.from(text) };
      };
      const textOf = async (key: ListKey) => Buffer.from((await metadata.list(key))?.body ?? []).toString();
      await metadata.recordList(list("n=2", "old"));
      await metadata.recordList(list("n=2", "new"));
      await metadata.recordList(list("", "all"));
      await metadata.recordList({ ...list("", "refs"), kind: "referrers", detail: "api", isPacked: true });
      expect(await textOf(list("n=2", ""))).toBe("new");
      expect(await textOf(list("", ""))).toBe("all");
      const referrers = await metadata.list({ ...list("", ""), kind: "referrers" });
      expect(referrers).toMatchObject({ isPacked: true, detail: "api", checkedAt: 5 });
      expect(await metadata.list(list("", "", ELSEWHERE))).toBeUndefined();
      for (let pass = 0; pass < 2; pass++) await metadata.forgetList(list("n=2", ""));
      expect(await metadata.list(list("n=2", ""))).toBeUndefined();
      expect(await textOf(list("", ""))).toBe("all");
    });
  });

  describe(`${backend}: imports`, () => {
    const bytes = Buffer.from('{"schemaVersion":2}');
    const manifest = { digest: digestOf(bytes), mediaType: "application/x.test", bytes };
    const tag = tagRecord({ digest: manifest.digest, checkedAt: 500, importedAt: 500 });
    const record = {
      where: HERE,
      manifests: [{ manifest, listed: [{ digest: digestAt(1), size: 7 }] }],
      blobs: [{ digest: digestAt(1), size: 7 }],
      tag,
    };

    /** On a full disk it is refused at once, and nothing of it is known: a person waits for the answer. */
    async function isTaken(metadata: Metadata): Promise<boolean> {
      try {
        await metadata.recordImport(record);
        return true;
      } catch (error) {
        expect(error).toMatchObject({ code: "store-full" });
        expect(await metadata.tag(KEY)).toBeUndefined();
        expect(await metadata.link(HERE, digestAt(1))).toBeUndefined();
        return false;
      }
    }

    test("are there whole, in that repository alone, and after a restart", async () => {
      const { metadata, reopen } = await open();
      if (!(await isTaken(metadata))) return;
      await metadata.close();
      const again = await reopen();
      expect(await again.tag(KEY)).toEqual(tag);
      expect(bytes.equals((await again.manifest(manifest.digest))?.bytes ?? Buffer.of())).toBe(true);
      const measured = { size: 7, isMeasured: true, mediaType: undefined };
      expect(await again.link(HERE, digestAt(1))).toEqual({
        ...{ digest: digestAt(1), stated: 7, confirmed: measured, isImported: true },
      });
      expect((await again.link(HERE, manifest.digest))?.isImported).toBe(true);
      expect(await again.link(ELSEWHERE, digestAt(1))).toBeUndefined();
      await again.close();
    });

    test("stay marked whatever is learned of them later; a tag that the upstream names anew is not", async () => {
      const { metadata } = await open();
      if (!(await isTaken(metadata))) return;
      const digest = digestAt(1);
      await metadata.recordLink(HERE, { kind: "stated", digest, size: 8 });
      await metadata.recordLink(HERE, {
        kind: "confirmed",
        digest,
        size: 8,
        isMeasured: false,
        mediaType: undefined,
      });
      await metadata.recordLink(HERE, { kind: "unsized", digest });
      expect((await metadata.link(HERE, digest))?.isImported).toBe(true);
      await metadata.recordTag(tagRecord({ digest: digestAt(2), checkedAt: 600 }));
      expect((await metadata.tag(KEY))?.importedAt).toBeUndefined();
    });
  });

  describe(`${backend}: closing`, () => {
    test("keeps everything for the next open, happens twice, and ends all use", async () => {
      const { metadata, reopen } = await open();
      await metadata.recordBlob({ digest: digestAt(1), size: 5, usedAt: 100 });
      await metadata.recordTag(tagRecord());
      const link = {
        kind: "confirmed",
        digest: digestAt(1),
        size: 5,
        isMeasured: false,
        mediaType: "a/b",
      } as const;
      await metadata.recordLink(HERE, link);
      await metadata.close();
      await metadata.close();
      await expect(metadata.blob(digestAt(1))).rejects.toMatchObject({ code: "closed" });
      await expect(metadata.touch(new Map([[digestAt(1), 1]]))).rejects.toMatchObject({ code: "closed" });
      const again = await reopen();
      expect(await again.blob(digestAt(1))).toEqual({ digest: digestAt(1), size: 5, usedAt: 100 });
      expect(await again.tag(KEY)).toEqual(tagRecord());
      const { kind: _, digest, ...confirmed } = link;
      expect(await again.link(HERE, digest)).toEqual({ digest, stated: undefined, confirmed });
    });
  });
}
