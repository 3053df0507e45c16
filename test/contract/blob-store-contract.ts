/** Owns the contract of every BlobStore: what store/blob-store.ts promises, run once per backend. */
import { describe, expect, test } from "vitest";
import type { BlobStore } from "../../src/store/blob-store.ts";
import type { Spool } from "../../src/store/partial.ts";
import { collect } from "../support/collect.ts";
import { digestOfPattern, patternBytes } from "../support/pattern.ts";
import { fullPartial, owned, put, readBytes } from "../support/temp-store.ts";

const SIZE = 300_000;

type Stores = { readonly spool: Spool; readonly blobs: BlobStore };

/** `openStores` gives an empty BlobStore and the Spool whose Partials it adopts. */
export function blobStoreContract(backend: string, openStores: () => Promise<Stores>): void {
  const adopted = async (seed: number, size = SIZE) => {
    const stores = await openStores();
    const partial = await fullPartial(stores.spool, seed, size);
    await partial.checkpoint();
    await stores.blobs.adopt(partial, partial.digest);
    return { ...stores, partial, digest: partial.digest };
  };

  describe(`${backend}: a blob store`, () => {
    test("knows nothing of a digest that was never adopted", async () => {
      const { blobs } = await openStores();
      const digest = digestOfPattern(1, SIZE);
      expect(await blobs.stat(digest)).toBeUndefined();
      expect(await blobs.open(digest)).toBeUndefined();
      await blobs.remove(digest);
      expect(await collect(blobs.list())).toEqual([]);
    });

    test("serves an adopted partial from any offset, and its spool has it no more", async () => {
      const { blobs, spool, partial, digest } = await adopted(2);
      await partial.close();
      expect(await blobs.stat(digest)).toEqual({ size: SIZE });
      const blob = await blobs.open(digest);
      expect([blob?.digest, blob?.size]).toEqual([digest, SIZE]);
      if (blob === undefined) return;
      expect(await readBytes(blob, 1234, 5000)).toEqual(patternBytes(2, 1234, 5000));
      expect(await readBytes(blob, SIZE - 10, 5000)).toEqual(patternBytes(2, SIZE - 10, 10));
      expect(await readBytes(blob, SIZE, 10)).toHaveLength(0);
      await blob.close();
      expect(await spool.list()).toEqual([]);
    });

    test.each(["sha256", "sha512"] as const)("keeps %s blobs, empty ones too", async (algorithm) => {
      const { blobs, spool } = await openStores();
      const sizes = [0, 1, SIZE];
      for (const size of sizes) {
        const partial = await fullPartial(spool, 3, size, algorithm);
        await blobs.adopt(partial, partial.digest);
        await partial.close();
      }
      const listed = await collect(blobs.list());
      expect(listed.map(({ size }) => size).sort((a, b) => a - b)).toEqual(sizes);
      expect(new Set(listed.map(({ digest }) => digest))).toEqual(
        new Set(sizes.map((size) => digestOfPattern(3, size, algorithm))),
      );
    });

    test("keeps the adopted partial readable until its close, and lets nothing come back from it", async () => {
      const { blobs, spool } = await openStores();
      const partial = await fullPartial(spool, 4, SIZE);
      const { digest } = partial;
      await blobs.adopt(partial, digest);
      expect(await readBytes(partial, 99, 1000)).toEqual(patternBytes(4, 99, 1000));
      await partial.checkpoint();
      await partial.close();
      await partial.discard();
      expect(await spool.list()).toEqual([]);
      expect(await blobs.stat(digest)).toEqual({ size: SIZE });
    });

    test("adopts twice, and a second partial of the same digest, with the same outcome", async () => {
      const { blobs, spool, partial, digest } = await adopted(5);
      await blobs.adopt(partial, digest);
      await partial.close();
      const second = await fullPartial(spool, 5, SIZE);
      await second.checkpoint();
      await blobs.adopt(second, digest);
      expect(await readBytes(second, 0, 1000)).toEqual(patternBytes(5, 0, 1000));
      await second.close();
      expect(await spool.list()).toEqual([]);
      expect(await blobs.stat(digest)).toEqual({ size: SIZE });
    });

    test("refuses an incomplete partial and one of another digest, and leaves both alone", async () => {
      const { blobs, spool } = await openStores();
      const digest = digestOfPattern(6, SIZE);
      const partial = await spool.openPartial(owned(digest), SIZE);
      await put(partial, 6, { start: 0, end: SIZE - 1 });
      await expect(blobs.adopt(partial, digest)).rejects.toMatchObject({ code: "size-mismatch" });
      await put(partial, 6, { start: SIZE - 1, end: SIZE });
      const other = blobs.adopt(partial, digestOfPattern(7, SIZE));
      await expect(other).rejects.toMatchObject({ code: "digest-mismatch" });
      expect(await blobs.stat(digest)).toBeUndefined();
      await blobs.adopt(partial, digest);
      await partial.close();
      expect(await blobs.stat(digest)).toEqual({ size: SIZE });
    });

    test("keeps the bytes of an open blob readable after it was removed", async () => {
      const { blobs, partial, digest } = await adopted(8);
      await partial.close();
      const blob = await blobs.open(digest);
      await blobs.remove(digest);
      await blobs.remove(digest);
      expect(await blobs.stat(digest)).toBeUndefined();
      if (blob === undefined) throw new Error("the blob was not there");
      expect(await readBytes(blob, 1000, 1000)).toEqual(patternBytes(8, 1000, 1000));
      await blob.close();
    });

    test("takes a removed digest again while a reader still holds the first adopted partial", async () => {
      const { blobs, spool, partial, digest } = await adopted(9);
      await blobs.remove(digest);
      const again = await fullPartial(spool, 9, SIZE);
      expect(again.resumed).toBe(false);
      await partial.discard();
      await blobs.adopt(again, digest);
      await again.close();
      expect(await blobs.stat(digest)).toEqual({ size: SIZE });
    });

    test("finishes reads in flight before a close, and refuses later ones", async () => {
      const { blobs, partial, digest } = await adopted(10);
      await partial.close();
      const blob = await blobs.open(digest);
      if (blob === undefined) throw new Error("the blob was not there");
      const reads = Array.from({ length: 50 }, (_, index) => readBytes(blob, index * 5000, 5000));
      await Promise.all([blob.close(), blob.close()]);
      for (const [index, read] of reads.entries()) {
        expect((await read).equals(patternBytes(10, index * 5000, 5000))).toBe(true);
      }
      await expect(blob.read(0, Buffer.alloc(1))).rejects.toMatchObject({ code: "closed" });
    });

    test("tells the free bytes and the size of its disk", async () => {
      const { blobs } = await openStores();
      const { free, size } = await blobs.disk();
      expect(free).toBeGreaterThan(0);
      expect(size).toBeGreaterThanOrEqual(free);
    });
  });
}
