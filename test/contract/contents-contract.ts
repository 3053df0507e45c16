/** Owns the contract of every ContentRows and ContentRemoval: what is asked of what is stored, and how names leave; run once per backend. */
import { describe, expect, test } from "vitest";
import type { ContentRemoval } from "../../src/metadata/content-removal.ts";
import type { ContentRows } from "../../src/metadata/content-rows.ts";
import type { BlobRecord, Knowledge } from "../../src/metadata/metadata.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";

export type ContentsWorld = {
  readonly knowledge: Knowledge;
  readonly contents: ContentRows & ContentRemoval;
  recordBlob(blob: BlobRecord): Promise<void>;
  /** Last uses of manifests, epoch ms. */
  useManifests(uses: ReadonlyMap<Digest, number>): Promise<void>;
};

const HERE = { upstream: "docker.io", repository: "library/alpine" };
const THERE = { upstream: "docker.io", repository: "library/busybox" };
const ELSEWHERE = { upstream: "ghcr.io", repository: "a/b" };
const INDEX = "application/vnd.oci.image.index.v1+json";
const IMAGE = "application/vnd.oci.image.manifest.v1+json";
const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";
const CONFIG = "application/vnd.oci.image.config.v1+json";

function blobAt(index: number): { digest: Digest; size: number } {
  return { digest: digestOf(Buffer.from(`blob ${index}`)), size: 1_000 + index };
}

type Item = { readonly digest: Digest; readonly size: number };

function document(mediaType: string, body: object, listed: readonly Item[]) {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...body }));
  return { manifest: { digest: digestOf(bytes), mediaType, bytes }, listed, digest: digestOf(bytes) };
}

/** An image of a config and layers, by their indices; `subject` is what it is attached to. */
function image(blobs: readonly number[], subject?: Item) {
  const [config = blobAt(0), ...layers] = blobs.map(blobAt);
  const body = {
    config: { mediaType: CONFIG, ...config },
    layers: layers.map((layer) => ({ mediaType: LAYER, ...layer })),
    ...(subject && { subject: { mediaType: IMAGE, ...subject } }),
  };
  return document(IMAGE, body, [config, ...layers]);
}

function index(images: readonly ReturnType<typeof image>[]) {
  const manifests = images.map(({ digest, manifest }, place) => ({
    ...{ mediaType: IMAGE, digest, size: manifest.bytes.length },
    platform: { os: "linux", architecture: place === 0 ? "amd64" : "arm64" },
  }));
  return document(INDEX, { manifests }, manifests);
}

type Document = ReturnType<typeof image>;

/** Two images with a layer in common under one index, tagged "1"; the first image alone is tagged "one". */
const ONE = image([1, 2, 3]);
const TWO = image([4, 2, 5]);
const BOTH = index([ONE, TWO]);

async function filled(open: () => Promise<ContentsWorld>) {
  const world = await open();
  const { knowledge } = world;
  const put = (where: typeof HERE, { manifest, listed }: Document) =>
    knowledge.recordManifest(where, manifest, listed);
  const tag = (where: typeof HERE, name: string, { manifest }: Document, acceptClass = "") =>
    knowledge.recordTag({
      ...{ ...where, tag: name, acceptClass, digest: manifest.digest, mediaType: manifest.mediaType },
      ...{ size: manifest.bytes.length, checkedAt: 7 },
    });
  for (const each of [ONE, TWO, BOTH]) await put(HERE, each);
  await tag(HERE, "1", BOTH);
  await tag(HERE, "one", ONE);
  for (const [place, blob] of [1, 2, 3].map(blobAt).entries())
    await world.recordBlob({ ...blob, usedAt: 100 + place });
  return { ...world, put, tag };
}

export function contentsContract(backend: string, open: () => Promise<ContentsWorld>): void {
  describe(`${backend}: contents`, () => {
    test("have the repositories that something is known of, in their order, page by page", async () => {
      const { contents, put } = await filled(open);
      expect(await contents.holds(THERE)).toBe(false);
      await put(ELSEWHERE, ONE);
      await put(THERE, ONE);
      expect(await contents.repositoriesAfter({ upstream: "", repository: "" }, 2)).toEqual([HERE, THERE]);
      expect(await contents.repositoriesAfter(THERE, 2)).toEqual([ELSEWHERE]);
      expect(await contents.repositoriesAfter(ELSEWHERE, 2)).toEqual([]);
      expect(await contents.upstreams()).toEqual(["docker.io", "ghcr.io"]);
      expect(await contents.holds(THERE)).toBe(true);
      const having = await contents.repositoriesWith(blobAt(1).digest, 10);
      expect(having).toHaveLength(3);
      expect(having).toEqual(expect.arrayContaining([HERE, THERE, ELSEWHERE]));
      expect(await contents.repositoriesWith(blobAt(1).digest, 2)).toHaveLength(2);
      expect(await contents.linksTo(blobAt(1).digest)).toBe(3);
      expect(await contents.linksTo(blobAt(9).digest)).toBe(0);
    });

    test("of a repository are summed up, with what of it is here and what is wanted", async () => {
      const { contents, useManifests } = await filled(open);
      expect(await contents.sumsOf(HERE)).toEqual({
        ...{ blobs: 3, size: 3_006, wanted: 1_001 + 1_002 + 1_003 + 1_004 + 1_005 },
        ...{ tags: 2, manifests: 3, usedAt: 102 },
      });
      expect(await contents.sizeOf(HERE)).toBe(3_006);
      expect(await contents.sizeOf(THERE)).toBe(0);
      expect((await contents.sumsOf(THERE)).wanted).toBe(0);
      await useManifests(new Map([[ONE.digest, 500]]));
      expect(await contents.repositoryUsedAt(HERE)).toBe(500);
      await contents.recordTagUses([{ ...HERE, tag: "1", usedAt: 600 }]);
      expect((await contents.sumsOf(HERE)).usedAt).toBe(600);
    });

    test("of a repository are its tags with their last uses, and its manifests", async () => {
      const { contents, useManifests, tag } = await filled(open);
      await tag(HERE, "1", ONE, "schema1");
      await useManifests(
        new Map([
          [ONE.digest, 500],
          [BOTH.digest, 300],
        ]),
      );
      await useManifests(new Map([[ONE.digest, 400]]));
      const uses = [
        { ...HERE, tag: "one", usedAt: 800 },
        { ...HERE, tag: "one", usedAt: 700 },
        { ...HERE, tag: "none", usedAt: 900 },
      ];
      await contents.recordTagUses(uses);
      await contents.recordTagUses([{ ...HERE, tag: "one", usedAt: 1 }]);
      await contents.recordTagUses([]);
      const tags = await contents.tagsIn(HERE, 10);
      expect(tags.map((each) => [each.tag, each.acceptClass, each.digest, each.usedAt])).toEqual([
        ["1", "", BOTH.digest, undefined],
        ["1", "schema1", ONE.digest, undefined],
        ["one", "", ONE.digest, 800],
      ]);
      expect(tags[0]).toMatchObject({ size: BOTH.manifest.bytes.length, mediaType: INDEX, checkedAt: 7 });
      expect(await contents.tagsIn(HERE, 1)).toHaveLength(1);
      expect(await contents.tagUsedAt(HERE, "one")).toBe(800);
      expect(await contents.tagUsedAt(HERE, "1")).toBe(500);
      expect(await contents.tagUsedAt(HERE, "none")).toBeUndefined();
      const manifests = await contents.manifestsIn(HERE, 10);
      expect(manifests).toHaveLength(3);
      const one = { digest: ONE.digest, mediaType: IMAGE, size: ONE.manifest.bytes.length, usedAt: 500 };
      expect(manifests).toContainEqual(one);
      expect(await contents.manifestsUnusedSince(400, 10)).toEqual(
        expect.arrayContaining([TWO.digest, BOTH.digest]),
      );
      expect(await contents.manifestsUnusedSince(400, 1)).toEqual([TWO.digest]);
    });

    test("that nobody used for long are told until they leave, and a late use brings none back", async () => {
      const { contents, useManifests, put } = await filled(open);
      await useManifests(
        new Map([
          [ONE.digest, 300],
          [TWO.digest, 100],
          [BOTH.digest, 900],
        ]),
      );
      expect(await contents.manifestsUnusedSince(400, 10)).toEqual([TWO.digest, ONE.digest]);
      await contents.leave({ ...HERE, isAll: false, tags: [], digests: [TWO.digest] });
      expect(await contents.manifestsUnusedSince(400, 10)).toEqual([ONE.digest]);
      await useManifests(new Map([[TWO.digest, 200]]));
      expect(await contents.manifestsUnusedSince(400, 10)).toEqual([ONE.digest]);
      expect(await contents.linksTo(TWO.digest)).toBe(0);
      // What comes again counts as used when the last one was.
      await put(HERE, TWO);
      expect(await contents.manifestsUnusedSince(900, 10)).toEqual([ONE.digest]);
      expect(await contents.repositoriesWith(TWO.digest, 10)).toEqual([HERE]);
    });

    test("say what a manifest consists of, through an index too, and what of that is here", async () => {
      const { contents, knowledge } = await filled(open);
      await knowledge.forgetManifest(TWO.digest);
      const parts = await contents.partsOf(BOTH.digest, 100);
      expect(parts.map(({ digest, role, platform, blob }) => [digest, role, platform, blob])).toEqual([
        [ONE.digest, "child", "linux/amd64", undefined],
        [TWO.digest, "child", "linux/arm64", undefined],
        [blobAt(1).digest, "config", "linux/amd64", 1_001],
        [blobAt(2).digest, "layer", "linux/amd64", 1_002],
        [blobAt(3).digest, "layer", "linux/amd64", 1_003],
      ]);
      expect(parts.slice(0, 2).map(({ isStored }) => isStored)).toEqual([true, false]);
      expect(parts[2]).toMatchObject({ parent: ONE.digest, size: 1_001, mediaType: CONFIG });
      expect(await contents.partsOf(BOTH.digest, 3)).toHaveLength(3);
      expect(await contents.listedAs(blobAt(3).digest)).toEqual({ role: "layer", mediaType: LAYER });
      expect(await contents.listedAs(ONE.digest)).toBeUndefined();
    });

    test("say who needs a digest", async () => {
      const { contents, put } = await filled(open);
      expect(new Set(await contents.ancestorsOf(blobAt(2).digest))).toEqual(
        new Set([blobAt(2).digest, ONE.digest, TWO.digest, BOTH.digest]),
      );
      const apart = image([7, 8]);
      await put(HERE, apart);
      expect(await contents.taggedIn(HERE)).toEqual(new Set([ONE.digest, TWO.digest, BOTH.digest]));
      expect(await contents.isNeeded(blobAt(8).digest)).toBe(true);
      expect(await contents.isNeeded(apart.digest)).toBe(true);
      expect(await contents.isNeeded(blobAt(9).digest)).toBe(false);
      const start = blobAt(8).digest.slice(0, 14);
      expect(await contents.linkedLike(HERE, `${start}*`)).toEqual([blobAt(8).digest]);
      expect(await contents.linkedLike(HERE, blobAt(8).digest)).toEqual([blobAt(8).digest]);
      expect(await contents.linkedLike(HERE, start)).toEqual([]);
      expect(await contents.linkedLike(HERE, "sha256:*")).toHaveLength(11);
    });

    test("know what was brought in attached to something, until the link of it goes", async () => {
      const { contents, knowledge } = await filled(open);
      const signature = image([11, 12], { digest: ONE.digest, size: 5 });
      const record = { where: HERE, manifests: [signature], blobs: [], tag: undefined };
      for (let times = 0; times < 2; times++) await knowledge.recordImport(record);
      expect(await contents.referrersIn(HERE, ONE.digest, 10)).toEqual([signature.digest]);
      expect(await contents.referrersIn(THERE, ONE.digest, 10)).toEqual([]);
      expect(await contents.isReferrer(HERE, signature.digest)).toBe(true);
      expect(await contents.isReferrer(HERE, ONE.digest)).toBe(false);
      await contents.leave({ ...HERE, isAll: false, tags: [], digests: [signature.digest] });
      expect(await contents.isReferrer(HERE, signature.digest)).toBe(false);
    });

    test("have edges for everything that was recorded", async () => {
      const { contents } = await filled(open);
      expect(await contents.backfillEdges()).toBe(false);
    });
  });

  describe(`${backend}: names that leave`, () => {
    const leaving = { ...HERE, isAll: false, tags: [], digests: [] };

    test("take with them what no other name there needs, and nothing is changed by asking", async () => {
      const { contents, knowledge } = await filled(open);
      const ask = { ...leaving, tags: ["1"] };
      const rows = await contents.whatLeaves(ask);
      expect(rows.tagKeys).toEqual([{ tag: "1", acceptClass: "" }]);
      expect(new Set(rows.manifests)).toEqual(new Set([BOTH.digest, TWO.digest]));
      const gone = [BOTH.digest, TWO.digest, blobAt(4).digest, blobAt(5).digest];
      expect(new Set(rows.unlinked)).toEqual(new Set(gone));
      expect(await knowledge.manifest(TWO.digest)).toBeDefined();
      const left = await contents.leave(ask);
      expect(new Set(left.unlinked)).toEqual(new Set(gone));
      expect(await knowledge.tag({ ...HERE, tag: "1", acceptClass: "" })).toBeUndefined();
      expect(await knowledge.manifest(TWO.digest)).toBeUndefined();
      expect(await knowledge.manifest(ONE.digest)).toBeDefined();
      for (const digest of [ONE.digest, blobAt(2).digest])
        expect(await knowledge.link(HERE, digest)).toBeDefined();
      expect(await knowledge.link(HERE, blobAt(5).digest)).toBeUndefined();
    });

    test("write down bytes that no repository has a link to, until they have left too", async () => {
      const { contents, put } = await filled(open);
      await put(ELSEWHERE, image([4, 9]));
      await contents.leave({ ...leaving, tags: ["1"] });
      const still = await contents.stillLeaving("", 10);
      expect(still).toEqual([blobAt(5).digest]);
      expect(await contents.stillLeaving(still[0] ?? "", 10)).toEqual([]);
      await contents.haveLeft([blobAt(5).digest, blobAt(99).digest]);
      await contents.haveLeft([]);
      expect(await contents.stillLeaving("", 10)).toEqual([]);
    });

    test("leave by digest with the tags that point there, and the documents of other repositories stay", async () => {
      const { contents, knowledge, put } = await filled(open);
      await put(THERE, ONE);
      await knowledge.recordVisibility(
        { ...HERE, repository: `${HERE.repository}@${ONE.digest}` },
        { isPublic: true, checkedAt: 1 },
      );
      const rows = await contents.leave({ ...leaving, digests: [ONE.digest] });
      expect(rows.tags).toEqual(["one"]);
      expect(rows.manifests).toEqual([ONE.digest]);
      expect(await knowledge.tag({ ...HERE, tag: "one", acceptClass: "" })).toBeUndefined();
      expect(await knowledge.link(HERE, ONE.digest)).toBeUndefined();
      expect(await knowledge.link(THERE, ONE.digest)).toBeDefined();
      expect(await knowledge.manifest(ONE.digest)).toBeDefined();
      const view = { ...HERE, repository: `${HERE.repository}@${ONE.digest}` };
      expect(await knowledge.visibility(view)).toBeUndefined();
    });

    test("as a whole repository take everything that is known of it, and nothing of others", async () => {
      const { contents, knowledge, put, tag } = await filled(open);
      const next = { ...HERE, repository: `${HERE.repository}-next` };
      await put(next, ONE);
      await tag(next, "one", ONE);
      const list = { kind: "tags", name: "", body: Buffer.from("[]"), isPacked: false } as const;
      const view = { isPublic: true, checkedAt: 1 };
      for (const where of [HERE, next]) {
        await knowledge.recordList({ ...where, ...list, detail: undefined, checkedAt: 1 });
        await knowledge.recordVisibility(where, view);
        const one = { ...where, repository: `${where.repository}@${ONE.digest}` };
        await knowledge.recordVisibility(one, view);
      }
      await contents.recordTagUses([{ ...HERE, tag: "one", usedAt: 5 }]);
      const rows = await contents.leave({ ...leaving, isAll: true });
      expect(new Set(rows.tags)).toEqual(new Set(["1", "one"]));
      expect(rows.unlinked).toHaveLength(8);
      expect(await contents.holds(HERE)).toBe(false);
      expect(await contents.tagsIn(HERE, 10)).toEqual([]);
      expect(await knowledge.list({ ...HERE, ...list })).toBeUndefined();
      expect(await knowledge.visibility(HERE)).toBeUndefined();
      const gone = { ...HERE, repository: `${HERE.repository}@${ONE.digest}` };
      expect(await knowledge.visibility(gone)).toBeUndefined();
      expect(await contents.holds(next)).toBe(true);
      expect(await knowledge.list({ ...next, ...list })).toBeDefined();
      expect(await knowledge.visibility(next)).toEqual(view);
      const kept = { ...next, repository: `${next.repository}@${ONE.digest}` };
      expect(await knowledge.visibility(kept)).toEqual(view);
      await tag(HERE, "one", ONE);
      expect((await contents.tagsIn(HERE, 10))[0]?.usedAt).toBeUndefined();
    });

    test("that are not there change nothing", async () => {
      const { contents } = await filled(open);
      const rows = await contents.leave({ ...leaving, tags: ["none"] });
      expect(rows).toMatchObject({ tags: [], tagKeys: [], manifests: [], unlinked: [] });
      const before = await contents.sumsOf(HERE);
      expect(before).toMatchObject({ tags: 2, manifests: 3 });
    });

    test("leave lists and views behind, which go when they are old and nothing else is known", async () => {
      const { contents, knowledge } = await filled(open);
      const list = { kind: "tags", name: "", body: Buffer.from("[]"), isPacked: false } as const;
      const byDigest = (where: typeof HERE, digest: Digest) => ({
        ...where,
        repository: `${where.repository}@${digest}`,
      });
      const views = [
        ...[HERE, THERE, byDigest(HERE, ONE.digest), byDigest(HERE, blobAt(99).digest)],
        byDigest(THERE, ONE.digest),
      ];
      for (const where of [HERE, THERE, ELSEWHERE]) {
        const checkedAt = where === ELSEWHERE ? 50 : 5;
        await knowledge.recordList({ ...where, ...list, detail: undefined, checkedAt });
      }
      for (const view of views) await knowledge.recordVisibility(view, { isPublic: true, checkedAt: 5 });
      await contents.dropOldLists(10, 100);
      const lists = await Promise.all(
        [HERE, THERE, ELSEWHERE].map((where) => knowledge.list({ ...where, ...list })),
      );
      expect(lists.map((found) => found !== undefined)).toEqual([true, false, true]);
      const found = await Promise.all(views.map((view) => knowledge.visibility(view)));
      expect(found.map((view) => view !== undefined)).toEqual([true, false, true, false, false]);
    });
  });
}
