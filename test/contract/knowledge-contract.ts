/** Owns the contract of every Knowledge: what metadata/metadata.ts promises of it, run once per backend. */
import { describe, expect, test } from "vitest";
import type { Knowledge, ListKey, ListRecord, TagRecord } from "../../src/metadata/metadata.ts";
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

/** A Knowledge that begins empty; `reopen` gives one over the same content, after `close`. */
export type OpenedKnowledge = {
  readonly knowledge: Knowledge;
  close(): Promise<void>;
  reopen(): Promise<Knowledge>;
};

/** One that `forgives` says nothing of rows that it cannot write. */
export function knowledgeContract(
  backend: string,
  open: () => Promise<OpenedKnowledge>,
  { forgives = false } = {},
): void {
  describe(`${backend}: manifests`, () => {
    test("keep their exact bytes and media type, sha512 too", async () => {
      const { knowledge, close, reopen } = await open();
      const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => (index * 31) % 256);
      const digest = digestOf(bytes, "sha512");
      const manifest = { digest, mediaType: "application/vnd.oci.image.manifest.v1+json; odd", bytes };
      expect(await knowledge.manifest(digest)).toBeUndefined();
      await knowledge.recordManifest(HERE, manifest, []);
      await knowledge.recordManifest(HERE, manifest, []);
      expect(await knowledge.manifestsAfter("", 10)).toHaveLength(1);
      await close();
      const again = await reopen();
      const found = await again.manifest(digest);
      expect(found).toMatchObject({ digest, mediaType: manifest.mediaType });
      expect(Buffer.from(found?.bytes ?? []).equals(bytes)).toBe(true);
    });

    test("are found one after another, and are gone when they are forgotten", async () => {
      const { knowledge } = await open();
      for (const index of [1, 2, 3, 4, 5]) {
        const manifest = { digest: digestAt(index), mediaType: "m", bytes: Buffer.from(`${index}`) };
        await knowledge.recordManifest(HERE, manifest, []);
      }
      const all = [1, 2, 3, 4, 5].map(digestAt).sort();
      const first = await knowledge.manifestsAfter("", 3);
      expect(first.map(({ digest }) => digest)).toEqual(all.slice(0, 3));
      const rest = await knowledge.manifestsAfter(first[2]?.digest ?? "", 3);
      expect(rest.map(({ digest }) => digest)).toEqual(all.slice(3));
      await knowledge.forgetManifest(digestAt(1));
      await knowledge.forgetManifest(digestAt(1));
      expect(await knowledge.manifest(digestAt(1))).toBeUndefined();
      expect(await knowledge.manifestsAfter("", 10)).toHaveLength(4);
    });

    test("link themselves and what they list to their repository only", async () => {
      const { knowledge } = await open();
      const manifest = { digest: digestAt(1), mediaType: "m", bytes: Buffer.from("{}") };
      const links = [
        { digest: digestAt(2), size: 77 },
        { digest: digestAt(3), size: undefined },
      ];
      await knowledge.recordManifest(HERE, manifest, links);
      const own = { size: 2, isMeasured: true, mediaType: manifest.mediaType };
      expect(await knowledge.link(HERE, digestAt(1))).toMatchObject({ digest: digestAt(1), confirmed: own });
      for (const { digest, size } of links)
        expect(await knowledge.link(HERE, digest)).toEqual({ digest, stated: size, confirmed: undefined });
      expect(await knowledge.link(ELSEWHERE, digestAt(2))).toBeUndefined();
    });

    if (forgives) return;
    test("and their links are recorded wholly or not at all", async () => {
      const { knowledge } = await open();
      const manifest = { digest: digestAt(1), mediaType: "m", bytes: Buffer.from("{}") };
      // Half a byte is refused, after the manifest and the first link were written.
      const links = [
        { digest: digestAt(2), size: 1 },
        { digest: digestAt(3), size: 1.5 },
      ];
      await expect(knowledge.recordManifest(HERE, manifest, links)).rejects.toMatchObject({
        code: "store-damaged",
      });
      expect(await knowledge.manifest(digestAt(1))).toBeUndefined();
      expect(await knowledge.link(HERE, digestAt(2))).toBeUndefined();
    });
  });

  describe(`${backend}: links`, () => {
    const stated = (index: number, size: number | undefined) =>
      ({ kind: "stated", digest: digestAt(index), size }) as const;
    const confirmed = (index: number, size: number | undefined, isMeasured = false) =>
      ({ kind: "confirmed", digest: digestAt(index), size, isMeasured, mediaType: undefined }) as const;

    test("keep a size that a document stated when one without comes, and take a new one", async () => {
      const { knowledge } = await open();
      const digest = digestAt(1);
      for (const [size, known] of [
        [undefined, undefined],
        [10, 10],
        [undefined, 10],
        [0, 0],
        [undefined, 0],
        [12, 12],
      ] as const) {
        await knowledge.recordLink(HERE, stated(1, size));
        expect(await knowledge.link(HERE, digest)).toEqual({ digest, stated: known, confirmed: undefined });
      }
    });

    test("tell what documents state from what the upstream said, and a word of its from a measure", async () => {
      const { knowledge } = await open();
      const confirmation = async () => (await knowledge.link(HERE, digestAt(1)))?.confirmed;
      await knowledge.recordLink(HERE, confirmed(1, 7));
      await knowledge.recordLink(HERE, stated(1, 8));
      expect(await confirmation()).toEqual({ size: 7, isMeasured: false, mediaType: undefined });
      await knowledge.recordLink(HERE, { ...confirmed(1, undefined), mediaType: "a/b" });
      expect(await confirmation()).toEqual({ size: 7, isMeasured: false, mediaType: "a/b" });
      await knowledge.recordLink(HERE, confirmed(1, 8, true));
      await knowledge.recordLink(HERE, confirmed(1, 9));
      expect(await confirmation()).toEqual({ size: 8, isMeasured: true, mediaType: "a/b" });
      await knowledge.recordLink(HERE, confirmed(1, 9, true));
      expect(await confirmation()).toEqual({ size: 9, isMeasured: true, mediaType: "a/b" });
      expect(await knowledge.link(ELSEWHERE, digestAt(1))).toBeUndefined();
    });

    test("lose a size that was wrong in their repository alone, and stay links", async () => {
      const { knowledge } = await open();
      for (const where of [HERE, ELSEWHERE]) {
        await knowledge.recordLink(where, stated(1, 10));
        await knowledge.recordLink(where, confirmed(1, 10, true));
        await knowledge.recordLink(where, stated(2, 20));
      }
      const before = await knowledge.link(ELSEWHERE, digestAt(1));
      await knowledge.recordLink(HERE, { kind: "unsized", digest: digestAt(1) });
      const doubtful = { size: undefined, isMeasured: false, mediaType: undefined };
      expect(await knowledge.link(HERE, digestAt(1))).toEqual({
        digest: digestAt(1),
        stated: undefined,
        confirmed: doubtful,
      });
      expect(await knowledge.link(ELSEWHERE, digestAt(1))).toEqual(before);
      expect((await knowledge.link(HERE, digestAt(2)))?.stated).toBe(20);
      await knowledge.recordLink(HERE, confirmed(1, 11));
      expect((await knowledge.link(HERE, digestAt(1)))?.confirmed?.size).toBe(11);
    });
  });

  describe(`${backend}: tags`, () => {
    test("are what was recorded last, by upstream, repository, tag and accept class", async () => {
      const { knowledge } = await open();
      expect(await knowledge.tag(KEY)).toBeUndefined();
      await knowledge.recordTag(tagRecord({ digest: digestAt(9) }));
      await knowledge.recordTag(tagRecord());
      await knowledge.recordTag(tagRecord({ acceptClass: "schema1", digest: digestAt(2) }));
      await knowledge.recordTag(tagRecord({ ...ELSEWHERE, digest: digestAt(3) }));
      expect(await knowledge.tag(KEY)).toEqual(tagRecord());
      expect((await knowledge.tag({ ...KEY, acceptClass: "schema1" }))?.digest).toBe(digestAt(2));
      expect((await knowledge.tag({ ...KEY, ...ELSEWHERE }))?.digest).toBe(digestAt(3));
      await knowledge.forgetTag(KEY);
      await knowledge.forgetTag(KEY);
      expect(await knowledge.tag(KEY)).toBeUndefined();
      expect((await knowledge.tag({ ...KEY, acceptClass: "schema1" }))?.digest).toBe(digestAt(2));
    });

    test("of one repository come with the date of their last check, whatever types it was made for", async () => {
      const { knowledge } = await open();
      await knowledge.recordTag(tagRecord({ tag: "a", checkedAt: 5 }));
      await knowledge.recordTag(tagRecord({ tag: "a", acceptClass: "schema1", checkedAt: 9 }));
      await knowledge.recordTag(tagRecord({ tag: "b", checkedAt: 7 }));
      const known = await knowledge.tagsOf(HERE);
      expect(known.map(({ tag, checkedAt }) => [tag, checkedAt])).toEqual([
        ["a", 9],
        ["b", 7],
      ]);
    });

    test("of one repository come in lexical order without duplicates", async () => {
      const { knowledge } = await open();
      for (const tag of ["b", "a10", "a9", "A", "b"]) await knowledge.recordTag(tagRecord({ tag }));
      await knowledge.recordTag(tagRecord({ tag: "b", acceptClass: "schema1" }));
      await knowledge.recordTag(tagRecord({ ...ELSEWHERE, tag: "other" }));
      const known = await knowledge.tagsOf(HERE);
      expect(known.map(({ tag }) => tag)).toEqual(["A", "a10", "a9", "b"]);
      expect(await knowledge.tagsOf({ ...HERE, repository: "none" })).toEqual([]);
    });

    test("lists are kept by kind and name, the last body of each", async () => {
      const { knowledge } = await open();
      const list = (name: string, text: string, where = HERE): ListRecord => {
        const facts = { kind: "tags", isPacked: false, detail: undefined, checkedAt: 5 } as const;
        return { ...where, ...facts, name, body: Buffer.from(text) };
      };
      const textOf = async (key: ListKey) => Buffer.from((await knowledge.list(key))?.body ?? []).toString();
      await knowledge.recordList(list("n=2", "old"));
      await knowledge.recordList(list("n=2", "new"));
      await knowledge.recordList(list("", "all"));
      await knowledge.recordList({ ...list("", "refs"), kind: "referrers", detail: "api", isPacked: true });
      expect(await textOf(list("n=2", ""))).toBe("new");
      expect(await textOf(list("", ""))).toBe("all");
      const referrers = await knowledge.list({ ...list("", ""), kind: "referrers" });
      expect(referrers).toMatchObject({ isPacked: true, detail: "api", checkedAt: 5 });
      expect(await knowledge.list(list("", "", ELSEWHERE))).toBeUndefined();
      for (let pass = 0; pass < 2; pass++) await knowledge.forgetList(list("n=2", ""));
      expect(await knowledge.list(list("n=2", ""))).toBeUndefined();
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
    async function isTaken(knowledge: Knowledge): Promise<boolean> {
      try {
        await knowledge.recordImport(record);
        return true;
      } catch (error) {
        expect(error).toMatchObject({ code: "store-full" });
        expect(await knowledge.tag(KEY)).toBeUndefined();
        expect(await knowledge.link(HERE, digestAt(1))).toBeUndefined();
        return false;
      }
    }

    test("are there whole, in that repository alone, and after a restart", async () => {
      const { knowledge, close, reopen } = await open();
      if (!(await isTaken(knowledge))) return;
      await close();
      const again = await reopen();
      expect(await again.tag(KEY)).toEqual(tag);
      expect(bytes.equals((await again.manifest(manifest.digest))?.bytes ?? Buffer.of())).toBe(true);
      const measured = { size: 7, isMeasured: true, mediaType: undefined };
      expect(await again.link(HERE, digestAt(1))).toEqual({
        ...{ digest: digestAt(1), stated: 7, confirmed: measured, isImported: true },
      });
      expect((await again.link(HERE, manifest.digest))?.isImported).toBe(true);
      expect(await again.link(ELSEWHERE, digestAt(1))).toBeUndefined();
    });

    test("stay marked whatever is learned of them later; a tag that the upstream names anew is not", async () => {
      const { knowledge } = await open();
      if (!(await isTaken(knowledge))) return;
      const digest = digestAt(1);
      await knowledge.recordLink(HERE, { kind: "stated", digest, size: 8 });
      await knowledge.recordLink(HERE, {
        kind: "confirmed",
        digest,
        size: 8,
        isMeasured: false,
        mediaType: undefined,
      });
      await knowledge.recordLink(HERE, { kind: "unsized", digest });
      expect((await knowledge.link(HERE, digest))?.isImported).toBe(true);
      await knowledge.recordTag(tagRecord({ digest: digestAt(2), checkedAt: 600 }));
      expect((await knowledge.tag(KEY))?.importedAt).toBeUndefined();
    });
  });

  describe(`${backend}: closing`, () => {
    test("keeps everything that is known for the next open, happens twice, and ends all use", async () => {
      const { knowledge, close, reopen } = await open();
      await knowledge.recordTag(tagRecord());
      const link = {
        kind: "confirmed",
        digest: digestAt(1),
        size: 5,
        isMeasured: false,
        mediaType: "a/b",
      } as const;
      await knowledge.recordLink(HERE, link);
      await close();
      await close();
      await expect(knowledge.tag(KEY)).rejects.toMatchObject({ code: "closed" });
      await expect(knowledge.recordTag(tagRecord())).rejects.toMatchObject({ code: "closed" });
      const again = await reopen();
      expect(await again.tag(KEY)).toEqual(tagRecord());
      const { kind: _, digest, ...confirmed } = link;
      expect(await again.link(HERE, digest)).toEqual({ digest, stated: undefined, confirmed });
    });
  });
}
