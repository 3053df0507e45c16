/** Owns the contract of every BlobCatalog, with the sums of a whole Metadata: what metadata/metadata.ts promises of it, run once per backend. */
import { describe, expect, test } from "vitest";
import type { BlobRecord, Metadata } from "../../src/metadata/metadata.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";

const HERE = { upstream: "docker.io", repository: "library/alpine" };

function digestAt(index: number): Digest {
  return digestOf(Buffer.from(`content ${index}`));
}

/** `open` gives an empty Metadata; `reopen` one over the same content, after the first was closed. */
export function blobCatalogContract(
  backend: string,
  open: () => Promise<{ metadata: Metadata; reopen(): Promise<Metadata> }>,
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

  describe(`${backend}: closing`, () => {
    test("keeps the blobs for the next open, happens twice, and ends all use", async () => {
      const { metadata, reopen } = await open();
      await metadata.recordBlob({ digest: digestAt(1), size: 5, usedAt: 100 });
      await metadata.close();
      await metadata.close();
      await expect(metadata.blob(digestAt(1))).rejects.toMatchObject({ code: "closed" });
      await expect(metadata.touch(new Map([[digestAt(1), 1]]))).rejects.toMatchObject({ code: "closed" });
      const again = await reopen();
      expect(await again.blob(digestAt(1))).toEqual({ digest: digestAt(1), size: 5, usedAt: 100 });
    });
  });
}
