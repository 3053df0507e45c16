/** Shows that the database stays within its bound whatever is written into it, and what it keeps then. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { openDatabase } from "../../src/metadata/database.ts";
import type { Metadata, RepositoryKey } from "../../src/metadata/metadata.ts";
import type { Spared } from "../../src/metadata/spared-rows.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../src/oci/media-types.ts";
import { tempDirectory } from "../support/temp-directory.ts";

const MiB = 2 ** 20;
const BOUND = 2 * MiB;
/** Its log is written into it when it has so many pages; the last write may be in both. */
const LOG = 5 * MiB;
const HERE = { upstream: "reg.test", repository: "a/b" };

const NOTHING: Spared = { isKept: () => false, isKeptIn: () => false, canBeAsked: () => true };

async function bounded(mostBytes?: number) {
  const path = join(await tempDirectory(), "granary.db");
  const { metadata, bound } = openDatabase(path, BOUND, mostBytes);
  onTestFinished(() => metadata.close());
  const fileBytes = () =>
    ["", "-wal"].reduce((sum, end) => sum + (statSync(path + end, { throwIfNoEntry: false })?.size ?? 0), 0);
  return { metadata, bound, fileBytes };
}

function manifestOf(index: number, size: number) {
  const bytes = Buffer.alloc(size, `${index} `);
  return { digest: digestOf(bytes), mediaType: OCI_MANIFEST, bytes };
}

function anyDigest(index: number): Digest {
  return digestOf(Buffer.from(`${index}`));
}

/** A manifest that lists `layer`. */
function imageOf(layer: Digest) {
  const layers = [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest: layer, size: 1 }];
  const annotations = { note: "x".repeat(100_000) };
  const document = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: layers[0], layers, annotations };
  const bytes = Buffer.from(JSON.stringify(document));
  return { digest: digestOf(bytes), mediaType: OCI_MANIFEST, bytes };
}

/** A manifest with its tag and a layer on disk, used until now. */
async function live(metadata: Metadata) {
  const manifest = manifestOf(-1, 500);
  const layer = digestOf(Buffer.from("layer"));
  await metadata.recordManifest(HERE, manifest, [{ digest: layer, size: 5 }]);
  await metadata.recordBlob({ digest: layer, size: 5, usedAt: 1 });
  const tag = { ...HERE, tag: "live", acceptClass: "", mediaType: OCI_MANIFEST, size: 500, checkedAt: 10 };
  await metadata.recordTag({ ...tag, digest: manifest.digest });
  const isWhole = async () => {
    const found = [
      await metadata.manifest(manifest.digest),
      await metadata.tag(tag),
      await metadata.link(HERE, manifest.digest),
      await metadata.link(HERE, layer),
      await metadata.blob(layer),
    ];
    return found.every((row) => row !== undefined);
  };
  const use = (at: number) => metadata.touch(new Map([[manifest.digest, at]]));
  return { isWhole, use };
}

describe("the database", () => {
  test.each([
    ["pages of lists that clients invent", 400],
    ["Accept lists that clients invent", 12_000],
    ["digests that are confirmed and not kept", 12_000],
    ["repositories that are looked at", 12_000],
    ["manifests that nobody asks for again", 400],
    ["one list that is larger than all of it", 3],
  ] as const)("stays within its bound under %s, and keeps what is in use", async (what, times) => {
    const { metadata, fileBytes } = await bounded();
    const { isWhole, use } = await live(metadata);
    let most = 0;
    for (let index = 0; index < times; index++) {
      const where = { ...HERE, repository: `a/b${index}` };
      if (what.includes("pages") || what.includes("one list")) {
        const body = Buffer.alloc(what.includes("one") ? 4 * MiB : 60_000, `${index}`);
        const facts = {
          name: `n=${index}`,
          isPacked: false,
          detail: undefined,
          checkedAt: 1e12 + index,
        } as const;
        await metadata.recordList({ ...where, ...facts, kind: "tags", body });
      } else if (what.includes("Accept")) {
        const facts = { tag: "live", mediaType: OCI_MANIFEST, size: 1, checkedAt: 1e12 + index } as const;
        await metadata.recordTag({ ...HERE, ...facts, digest: anyDigest(0), acceptClass: `a/b${index}` });
      } else if (what.includes("digests")) {
        const facts = { kind: "confirmed", size: 1, isMeasured: true, mediaType: undefined } as const;
        await metadata.recordLink(where, { ...facts, digest: anyDigest(index) });
      } else if (what.includes("repositories")) {
        await metadata.recordVisibility(where, { isPublic: true, checkedAt: index });
      } else await metadata.recordManifest(where, manifestOf(index, 60_000), []);
      if (index % 10 === 0) await use(1e12 + index);
      if (index % 50 === 0) most = Math.max(most, fileBytes());
    }
    expect(await metadata.size()).toBeLessThanOrEqual(BOUND);
    expect(Math.max(most, fileBytes())).toBeLessThan(
      BOUND + LOG + (what.includes("one list") ? 8 * MiB : MiB),
    );
    expect(await isWhole()).toBe(true);
  });
});

describe("what is spared", () => {
  /** Ten manifests of 100 KB with a tag each, in a repository of their own, and a note that everybody may see them. */
  async function tenImages(metadata: Metadata, where: RepositoryKey, from: number) {
    const manifests = Array.from({ length: 10 }, (_, index) => imageOf(anyDigest(from + index)));
    for (const [index, manifest] of manifests.entries()) {
      await metadata.recordManifest(where, manifest, [{ digest: anyDigest(from + index), size: 1 }]);
      const tag = {
        ...where,
        tag: `${index}`,
        acceptClass: "",
        mediaType: OCI_MANIFEST,
        size: 1,
        checkedAt: 1,
      };
      await metadata.recordTag({ ...tag, digest: manifest.digest });
      const view = { ...where, repository: `${where.repository}@${manifest.digest}` };
      await metadata.recordVisibility(view, { isPublic: true, checkedAt: 1 });
    }
    await metadata.recordVisibility(where, { isPublic: true, checkedAt: 1 });
    const countHere = async () => {
      let here = 0;
      for (const [index, { digest }] of manifests.entries()) {
        const found = [
          await metadata.manifest(digest),
          await metadata.tag({ ...where, tag: `${index}`, acceptClass: "" }),
          await metadata.link(where, digest),
          await metadata.link(where, anyDigest(from + index)),
          await metadata.visibility({ ...where, repository: `${where.repository}@${digest}` }),
          await metadata.visibility(where),
        ];
        if (found.every((row) => row !== undefined)) here += 1;
      }
      return here;
    };
    return { countHere, manifests };
  }

  async function flood(metadata: Metadata, times: number) {
    for (let index = 0; index < times; index++) {
      const where = { ...HERE, repository: `flood/${index}` };
      await metadata.recordManifest(where, manifestOf(10_000 + index, 60_000), []);
      await metadata.recordVisibility(where, { isPublic: true, checkedAt: index });
    }
  }

  const KEPT = { upstream: "reg.test", repository: "kept" };
  const AWAY = { upstream: "away.test", repository: "a/b" };

  test("a kept image stays whole with its tag, links and notes, however old it is, and the database stays within its bound", async () => {
    const { metadata, bound } = await bounded();
    const isKept = (name: RepositoryKey) => name.repository === "kept";
    const kept = await tenImages(metadata, KEPT, 100);
    bound.spare({ ...NOTHING, isKept, isKeptIn: isKept });
    await flood(metadata, 100);
    expect(await kept.countHere()).toBe(10);
    expect(bound.used()).toBeLessThanOrEqual(BOUND);
    expect(bound.tooMuch()).toBeUndefined();
    bound.spare(NOTHING);
    await flood(metadata, 100);
    expect(await kept.countHere()).toBe(0);
  });

  test("a rule for one tag keeps that one, with the index above it and the image below", async () => {
    const { metadata, bound } = await bounded();
    const child = manifestOf(1, 50_000);
    const index = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [{ mediaType: OCI_MANIFEST, digest: child.digest, size: 50_000 }],
      }),
    );
    const top = { digest: digestOf(index), mediaType: OCI_INDEX, bytes: index };
    await metadata.recordManifest(KEPT, top, [{ digest: child.digest, size: 50_000 }]);
    await metadata.recordManifest(KEPT, child, []);
    const tag = { ...KEPT, tag: "1", acceptClass: "", mediaType: OCI_INDEX, size: 1, checkedAt: 1 };
    await metadata.recordTag({ ...tag, digest: top.digest });
    const others = await tenImages(metadata, { ...KEPT, repository: "kept/not" }, 100);
    bound.spare({ ...NOTHING, isKept: ({ tag, repository }) => repository === "kept" && tag === "1" });
    await flood(metadata, 100);
    expect(await metadata.manifest(child.digest)).toBeDefined();
    expect(await metadata.manifest(top.digest)).toBeDefined();
    expect(await others.countHere()).toBe(0);
  });

  test("a tag's only manifest stays while its upstream cannot be asked, and goes by its age when it can", async () => {
    const { metadata, bound } = await bounded();
    const away = await tenImages(metadata, AWAY, 100);
    for (let index = 100; index < 110; index++)
      await metadata.recordBlob({ digest: anyDigest(index), size: 1, usedAt: 1 });
    const untagged = manifestOf(1, 50_000);
    await metadata.recordManifest(AWAY, untagged, []);
    let isAway = true;
    bound.spare({ ...NOTHING, canBeAsked: ({ upstream }) => upstream !== AWAY.upstream || !isAway });
    await flood(metadata, 100);
    expect(await away.countHere()).toBe(10);
    expect(await metadata.manifest(untagged.digest)).toBeUndefined();
    isAway = false;
    await flood(metadata, 200);
    expect(await away.countHere()).toBe(0);
  });

  test("more than it may take is told, costs no write more than a moment, and goes when it is no longer spared", async () => {
    const { metadata, bound } = await bounded();
    const kept: Awaited<ReturnType<typeof tenImages>>[] = [];
    let looks = 0;
    const isKept = (name: RepositoryKey) => {
      looks += 1;
      return name.repository.startsWith("kept");
    };
    bound.spare({ ...NOTHING, isKept, isKeptIn: isKept });
    for (let from = 0; from < 5; from++)
      kept.push(await tenImages(metadata, { ...KEPT, repository: `kept/${from}` }, 100 * from));
    await flood(metadata, 30);
    for (const images of kept) expect(await images.countHere()).toBe(10);
    expect(bound.tooMuch()).toMatchObject({ maxBytes: BOUND });
    const before = looks;
    await flood(metadata, 100);
    expect((looks - before) / 200).toBeLessThan(2_000);
    bound.spare(NOTHING);
    await flood(metadata, 30);
    expect(bound.tooMuch()).toBeUndefined();
    expect(bound.used()).toBeLessThanOrEqual(BOUND);
  });

  test("beyond the most that it may ever take, even what is kept goes, longest unused first", async () => {
    const { metadata, bound } = await bounded(BOUND + MiB);
    bound.spare({ ...NOTHING, isKept: () => true, isKeptIn: () => true });
    const first = await tenImages(metadata, { ...KEPT, repository: "kept/1" }, 100);
    for (let from = 2; from < 6; from++)
      await tenImages(metadata, { ...KEPT, repository: `kept/${from}` }, 100 * from);
    const last = await tenImages(metadata, { ...KEPT, repository: "kept/6" }, 600);
    expect(bound.used()).toBeLessThanOrEqual(BOUND + 2 * MiB);
    expect([await first.countHere(), await last.countHere()]).toEqual([0, 10]);
  });

  test("another bound counts from the next write on", async () => {
    const { metadata, bound } = await bounded();
    await flood(metadata, 20);
    expect(bound.used()).toBeGreaterThan(MiB);
    bound.renew({ maxBytes: MiB });
    await flood(metadata, 1);
    expect(bound.used()).toBeLessThanOrEqual(MiB);
    bound.renew({ maxBytes: 8 * MiB });
    await flood(metadata, 100);
    expect(bound.used()).toBeGreaterThan(5 * MiB);
  });
});
