/** Owns the contract of every Spool and its Partials: what store/partial.ts promises, run once per backend. */
import { describe, expect, test } from "vitest";
import type { Partial, Spool } from "../../src/store/partial.ts";
import { digestOfPattern, patternBytes } from "../support/pattern.ts";
import { fullPartial, owned, put, readBytes } from "../support/temp-store.ts";

const MIB = 1024 * 1024;
const SIZE = 4 * MIB;

/** `openSpool` gives a spool on an empty place; `reopen` one on the same place, as after a restart. */
export function spoolContract(
  backend: string,
  openSpool: () => Promise<{ spool: Spool; reopen(): Promise<Spool> }>,
): void {
  const open = async (seed: number, size = SIZE) => {
    const { spool, reopen } = await openSpool();
    const partial = await spool.openPartial(owned(digestOfPattern(seed, size)), size);
    return { spool, reopen, partial };
  };

  describe(`${backend}: a partial`, () => {
    test("is empty and not resumed when it is new", async () => {
      const { partial } = await open(1);
      expect([partial.size, partial.present.total, partial.resumed]).toEqual([SIZE, 0, false]);
      await partial.discard();
    });

    test("F3: gives bytes back as soon as the write returned, and marks nothing", async () => {
      const { partial } = await open(2);
      const bytes = patternBytes(2, MIB, 300_000);
      await partial.write(MIB, [
        bytes.subarray(0, 1),
        bytes.subarray(1, 1),
        bytes.subarray(1, 70_000),
        bytes.subarray(70_000),
      ]);
      expect((await readBytes(partial, MIB, bytes.length)).equals(bytes)).toBe(true);
      expect(partial.present.total).toBe(0);
      await partial.discard();
    });

    test("takes many writes at once, in any order, in more buffers than one system call takes", async () => {
      const { partial } = await open(3);
      const parts = Array.from({ length: 16 }, (_, index) => (index * 7) % 16);
      await Promise.all(
        parts.map((part) => {
          const start = (part * SIZE) / 16;
          const bytes = patternBytes(3, start, SIZE / 16);
          const buffers = Array.from({ length: 2048 }, (_, at) => bytes.subarray(at * 128, (at + 1) * 128));
          return partial.write(start, buffers);
        }),
      );
      expect((await readBytes(partial, 0, SIZE)).equals(patternBytes(3, 0, SIZE))).toBe(true);
      await partial.discard();
    });

    test("reads short at its end and nothing past it", async () => {
      const { partial } = await open(4);
      await put(partial, 4, { start: SIZE - 10, end: SIZE });
      expect(await readBytes(partial, SIZE - 4, 100)).toEqual(patternBytes(4, SIZE - 4, 4));
      expect(await readBytes(partial, SIZE, 100)).toHaveLength(0);
      await partial.discard();
    });

    test("refuses a write past its size, and writes none of it", async () => {
      const { partial } = await open(5);
      const write = partial.write(SIZE - 1, [Buffer.from("ab")]);
      await expect(write).rejects.toMatchObject({ code: "size-mismatch" });
      expect(await readBytes(partial, SIZE - 1, 2)).toEqual(Buffer.alloc(1));
      await partial.discard();
    });

    test("refuses everything after close, waits for what is in flight, and closes twice", async () => {
      const { partial } = await open(6);
      await put(partial, 6, { start: 0, end: SIZE });
      const reads = Array.from({ length: 20 }, (_, index) => readBytes(partial, index * 1000, 1000));
      await Promise.all([partial.close(), partial.close()]);
      for (const [index, read] of reads.entries()) {
        expect(await read).toEqual(patternBytes(6, index * 1000, 1000));
      }
      const late = [
        partial.read(0, Buffer.alloc(1)),
        partial.write(0, [Buffer.alloc(1)]),
        partial.checkpoint(),
      ];
      for (const work of late) await expect(work).rejects.toMatchObject({ code: "closed" });
      expect(() => partial.follow()).toThrow(expect.objectContaining({ code: "closed" }));
    });
  });

  describe(`${backend}: a checkpoint`, () => {
    test("lets the next process go on from what was present", async () => {
      const { partial, reopen } = await open(10);
      await put(partial, 10, { start: 100, end: 2000 });
      await put(partial, 10, { start: MIB, end: 2 * MIB });
      await partial.checkpoint();
      await partial.close();
      const again = await (await reopen()).openPartial(owned(partial.digest), SIZE);
      expect(again.resumed).toBe(true);
      expect([...again.present]).toEqual([
        { start: 100, end: 2000 },
        { start: MIB, end: 2 * MIB },
      ]);
      expect(await readBytes(again, 100, 1900)).toEqual(patternBytes(10, 100, 1900));
      await again.discard();
    });

    test("is what counts: what came after the last one is not claimed", async () => {
      const { partial, spool } = await open(11);
      await put(partial, 11, { start: 0, end: 1000 });
      await partial.checkpoint();
      await put(partial, 11, { start: 1000, end: 5000 });
      await partial.close();
      const again = await spool.openPartial(owned(partial.digest), SIZE);
      expect([...again.present]).toEqual([{ start: 0, end: 1000 }]);
      await again.discard();
    });

    test("F8: claims only what was present before its sync began", async () => {
      const { partial, spool } = await open(12);
      await put(partial, 12, { start: 0, end: 1000 });
      const saved = partial.checkpoint();
      partial.present.add({ start: 1000, end: 2000 });
      await saved;
      await partial.close();
      const again = await spool.openPartial(owned(partial.digest), SIZE);
      expect([...again.present]).toEqual([{ start: 0, end: 1000 }]);
      await again.discard();
    });

    test("called twice at once is one run, and one called after news is another", async () => {
      const { partial, spool } = await open(13);
      await put(partial, 13, { start: 0, end: 1000 });
      const first = partial.checkpoint();
      expect(partial.checkpoint()).toBe(first);
      partial.present.add({ start: 1000, end: 2000 });
      const second = partial.checkpoint();
      expect(second).not.toBe(first);
      expect(partial.checkpoint()).toBe(second);
      await second;
      await partial.close();
      const again = await spool.openPartial(owned(partial.digest), SIZE);
      expect(again.present.total).toBe(2000);
      await again.discard();
    });

    test("runs beside writes, and every byte it claims is right", async () => {
      const { partial, spool } = await open(14);
      const step = 64 * 1024;
      for (let start = 0; start < SIZE; start += step) {
        const [saved] = [partial.checkpoint(), put(partial, 14, { start, end: start + step })];
        await put(partial, 14, { start, end: start + step });
        if (start % (step * 8) === 0) await saved;
      }
      await partial.checkpoint();
      await partial.close();
      const again = await spool.openPartial(owned(partial.digest), SIZE);
      expect(again.present.total).toBe(SIZE);
      expect((await readBytes(again, 0, SIZE)).equals(patternBytes(14, 0, SIZE))).toBe(true);
      await again.discard();
    });
  });

  describe(`${backend}: a spool`, () => {
    test("discards a saved partial of another size", async () => {
      const { partial, spool } = await open(20);
      await put(partial, 20, { start: 0, end: 1000 });
      await partial.checkpoint();
      await partial.close();
      const again = await spool.openPartial(owned(partial.digest), SIZE - 1);
      expect([again.present.total, again.resumed]).toEqual([0, false]);
      expect(await readBytes(again, 0, 10)).toEqual(Buffer.alloc(10));
      await again.close();
    });

    test("has nothing left of a discarded partial, and discards twice", async () => {
      const { partial, spool } = await open(21);
      await put(partial, 21, { start: 0, end: 1000 });
      await partial.checkpoint();
      await Promise.all([partial.discard(), partial.discard()]);
      expect(await spool.list()).toEqual([]);
      const again = await spool.openPartial(owned(partial.digest), SIZE);
      expect(again.present.total).toBe(0);
      await again.discard();
    });

    test("lists what is saved with what its map claims, but not what is open", async () => {
      const { partial, spool } = await open(22);
      const before = Date.now() - 5000;
      await put(partial, 22, { start: 5, end: 1000 });
      await partial.checkpoint();
      expect(await spool.list()).toEqual([]);
      expect(await spool.rangesOf(owned(partial.digest))).toEqual([]);
      await partial.close();
      const [saved, ...others] = await spool.list();
      expect(others).toEqual([]);
      expect(saved).toMatchObject({ digest: partial.digest, size: SIZE, present: 995 });
      expect(saved?.changedAt).toBeGreaterThan(before);
      expect(await spool.rangesOf(owned(partial.digest))).toEqual([{ start: 5, end: 1000 }]);
      await spool.remove(owned(partial.digest));
      await spool.remove(owned(partial.digest));
      expect(await spool.list()).toEqual([]);
    });

    test("opens what is open only when its owner has closed it, and never removes it", async () => {
      const { partial, spool } = await open(23);
      await put(partial, 23, { start: 0, end: 1000 });
      await partial.checkpoint();
      await expect(spool.remove(owned(partial.digest))).rejects.toMatchObject({ code: "closed" });
      let isOpened = false;
      const opening = spool.openPartial(owned(partial.digest), SIZE).finally(() => {
        isOpened = true;
      });
      await expect(spool.remove(owned(partial.digest))).rejects.toMatchObject({ code: "closed" });
      await put(partial, 23, { start: 1000, end: 2000 });
      await partial.checkpoint();
      expect(isOpened).toBe(false);
      await partial.close();
      const again = await opening;
      expect(again.present.total).toBe(2000);
      await again.discard();
    });

    test("opens what is being removed only when it is gone, and removes nothing that is being opened", async () => {
      const { partial, spool } = await open(25);
      await put(partial, 25, { start: 0, end: 1000 });
      await partial.checkpoint();
      await partial.close();
      const removing = spool.remove(owned(partial.digest));
      const opening = spool.openPartial(owned(partial.digest), SIZE);
      await expect(spool.remove(owned(partial.digest))).rejects.toMatchObject({ code: "closed" });
      const again = await opening;
      await removing;
      expect([again.present.total, again.resumed]).toEqual([0, false]);
      await put(again, 25, { start: 0, end: 1000 });
      expect(await readBytes(again, 0, 1000)).toEqual(patternBytes(25, 0, 1000));
      await again.checkpoint();
      await again.close();
      expect((await spool.list()).map(({ present }) => present)).toEqual([1000]);
    });

    test("opens one digest once at a time when asked twice, in the order of asking", async () => {
      const { partial, spool } = await open(24);
      await partial.close();
      const [first, second] = [
        spool.openPartial(owned(partial.digest), SIZE),
        spool.openPartial(owned(partial.digest), SIZE),
      ];
      const opened = await first;
      await put(opened, 24, { start: 0, end: 1000 });
      await opened.checkpoint();
      await opened.close();
      const next = await second;
      expect(next.present.total).toBe(1000);
      await next.discard();
    });
  });

  describe(`${backend}: a digest follower`, () => {
    test.each(["sha256", "sha512"] as const)("computes %s beside the writes", async (algorithm) => {
      const { spool } = await openSpool();
      const digest = digestOfPattern(30, SIZE, algorithm);
      const partial = await spool.openPartial(owned(digest), SIZE);
      const follower = partial.follow();
      for (let start = 0; start < SIZE; start += 100_000) {
        const end = Math.min(SIZE, start + 100_000);
        await put(partial, 30, { start, end });
        follower.advance(end);
      }
      expect(await follower.digest()).toBe(digest);
      await partial.discard();
    });

    test("digests an empty blob", async () => {
      const { spool } = await openSpool();
      const partial = await spool.openPartial(owned(digestOfPattern(31, 0)), 0);
      const follower = partial.follow();
      follower.advance(0);
      expect(await follower.digest()).toBe(partial.digest);
      await partial.discard();
    });

    test("tells the digest of what is there, not of what was hoped for", async () => {
      const { partial } = await open(32);
      await put(partial, 33, { start: 0, end: SIZE });
      const follower = partial.follow();
      follower.advance(SIZE);
      expect(await follower.digest()).toBe(digestOfPattern(33, SIZE));
      await partial.discard();
    });

    test("rejects `closed` when it or its partial is closed, and a new one starts from the front", async () => {
      const { spool } = await openSpool();
      const partial = await fullPartial(spool, 34, SIZE);
      const first = partial.follow();
      first.advance(MIB);
      const digest = first.digest();
      first.close();
      first.close();
      await expect(digest).rejects.toMatchObject({ code: "closed" });
      expect(await hashed(partial)).toBe(partial.digest);
      const last = partial.follow();
      await partial.discard();
      await expect(last.digest()).rejects.toMatchObject({ code: "closed" });
    });

    test("serves a small blob while large ones are being hashed", async () => {
      const { spool } = await openSpool();
      const large = await fullPartial(spool, 35, 32 * MIB);
      const small = await fullPartial(spool, 36, 1000);
      const order: string[] = [];
      await Promise.all([
        hashed(large).then(() => order.push("large")),
        hashed(small).then(() => order.push("small")),
      ]);
      expect(order).toEqual(["small", "large"]);
      await Promise.all([large.discard(), small.discard()]);
    });
  });
}

function hashed(partial: Partial): Promise<string> {
  const follower = partial.follow();
  follower.advance(partial.size);
  return follower.digest();
}
