/** Owns the contract of every Bucket: what fleet/bucket.ts promises, run once per store. */
import { createHash } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ByteRange } from "../../src/bytes/byte-range.ts";
import type { Bucket, UploadPart } from "../../src/fleet/bucket.ts";
import { collect } from "../support/collect.ts";
import { eventually } from "../support/patience.ts";
import { patternBytes } from "../support/pattern.ts";

/** A new, empty bucket, and what a plain GET of an address answers. */
export type BucketUnderTest = {
  readonly bucket: Bucket;
  get(url: string): Promise<{ readonly status: number; readonly bytes: Buffer }>;
};

/** More than one page of a bucket that is opened with a page of so many. */
export const CONTRACT_PAGE = 10;
const SEVERAL_PAGES = 25;

const SIZE = 300_000;
/** The smallest that stores take in the middle of an object. */
const PART = 5 * 2 ** 20;
const KEY = "blobs/sha256/0123/1";

const STRANGE_KEYS = [
  "a b",
  "a+b",
  "100%25 sure",
  "ampersand&less<more>quote\"'",
  "ünïcödé/日本語",
  "semi;colon,comma=equals?question#hash",
  "(brackets)[and]{braces}!*~@$",
];

export function bucketContract(store: string, open: () => Promise<BucketUnderTest>): void {
  const opened = async () => {
    const world = await open();
    onTestFinished(() => world.bucket.close());
    return world;
  };
  const emptyBucket = async () => (await opened()).bucket;
  const bucketWith = async (bytes: Uint8Array) => {
    const bucket = await emptyBucket();
    await bucket.put(KEY, bytes);
    return bucket;
  };

  describe(`${store}: a bucket`, () => {
    test("knows nothing of a key that was never written", async () => {
      const bucket = await emptyBucket();
      expect(await bucket.head(KEY)).toBeUndefined();
      expect(await read(bucket, KEY, { start: 0, end: 10 })).toBeUndefined();
      expect(await read(bucket, KEY, { start: 0, end: 0 })).toBeUndefined();
      await bucket.remove([KEY]);
      await bucket.remove([]);
      expect(await collect(bucket.list(""))).toEqual([]);
    });

    test.each<[string, ByteRange, ByteRange]>([
      ["the whole", { start: 0, end: SIZE }, { start: 0, end: SIZE }],
      ["the first byte", { start: 0, end: 1 }, { start: 0, end: 1 }],
      ["the last byte", { start: SIZE - 1, end: SIZE }, { start: SIZE - 1, end: SIZE }],
      ["a middle", { start: 1234, end: 98_765 }, { start: 1234, end: 98_765 }],
      ["no further than its end", { start: SIZE - 5, end: SIZE + 500 }, { start: SIZE - 5, end: SIZE }],
      ["nothing past its end", { start: SIZE, end: SIZE + 5 }, { start: SIZE, end: SIZE }],
      ["nothing far past its end", { start: SIZE * 2, end: SIZE * 3 }, { start: SIZE, end: SIZE }],
      ["nothing where nothing is asked for", { start: 17, end: 17 }, { start: 17, end: 17 }],
    ])("gives %s of an object", async (_, asked, range) => {
      const bucket = await bucketWith(patternBytes(1, 0, SIZE));
      expect(await bucket.head(KEY)).toEqual({ size: SIZE });
      const came = await read(bucket, KEY, asked);
      expect(came).toMatchObject({ range, size: SIZE });
      expect(came?.bytes.equals(patternBytes(1, range.start, range.end - range.start))).toBe(true);
    });

    test("keeps an object of no bytes", async () => {
      const bucket = await bucketWith(new Uint8Array());
      expect(await bucket.head(KEY)).toEqual({ size: 0 });
      const none = { range: { start: 0, end: 0 }, size: 0, bytes: Buffer.alloc(0) };
      expect(await read(bucket, KEY, { start: 0, end: 1 })).toEqual(none);
      expect(await read(bucket, KEY, { start: 0, end: 0 })).toEqual(none);
    });

    test("keeps what was written last, and nothing of what was removed", async () => {
      const bucket = await bucketWith(patternBytes(2, 0, SIZE));
      await bucket.put(KEY, patternBytes(3, 0, 1000));
      expect((await read(bucket, KEY, { start: 0, end: SIZE }))?.bytes.equals(patternBytes(3, 0, 1000))).toBe(
        true,
      );
      await bucket.remove([KEY]);
      expect(await bucket.head(KEY)).toBeUndefined();
      expect(await read(bucket, KEY, { start: 0, end: 1 })).toBeUndefined();
    });

    test("makes an object of parts that came in any order, and shows none of it before", async () => {
      const bucket = await emptyBucket();
      const whole = patternBytes(4, 0, 2 * PART + 1000);
      const uploadId = await bucket.begin(KEY);
      expect(await bucket.parts(KEY, uploadId)).toEqual([]);
      const parts: UploadPart[] = [];
      for (const number of [3, 1, 2]) parts.push(await putPart(bucket, uploadId, number, whole));
      expect(await bucket.parts(KEY, uploadId)).toEqual(parts.toSorted((a, b) => a.number - b.number));
      expect(await bucket.head(KEY)).toBeUndefined();
      expect(await read(bucket, KEY, { start: 0, end: 1 })).toBeUndefined();
      expect(await collect(bucket.list(""))).toEqual([]);
      expect(await bucket.complete(KEY, uploadId, parts)).toBe(true);
      expect(await bucket.head(KEY)).toEqual({ size: whole.length });
      const came = await read(bucket, KEY, { start: 0, end: whole.length });
      expect(hash(came?.bytes)).toEqual(hash(whole));
      expect(await collect(bucket.uploads(""))).toEqual([]);
    });

    test("takes a part again, and the last one counts", async () => {
      const bucket = await emptyBucket();
      const uploadId = await bucket.begin(KEY);
      await bucket.putPart(KEY, uploadId, 1, patternBytes(5, 0, 1000));
      const last = await bucket.putPart(KEY, uploadId, 1, patternBytes(6, 0, 2000));
      expect(await bucket.parts(KEY, uploadId)).toHaveLength(1);
      expect(await bucket.complete(KEY, uploadId, last === undefined ? [] : [last])).toBe(true);
      expect((await read(bucket, KEY, { start: 0, end: SIZE }))?.bytes.equals(patternBytes(6, 0, 2000))).toBe(
        true,
      );
    });

    test("takes nothing more for an upload that is complete, and completing it again changes nothing", async () => {
      const bucket = await emptyBucket();
      const bytes = patternBytes(7, 0, 1000);
      const uploadId = await bucket.begin(KEY);
      const part = await putPart(bucket, uploadId, 1, bytes);
      expect(await bucket.complete(KEY, uploadId, [part])).toBe(true);
      expect(await bucket.complete(KEY, uploadId, [part])).toBe(true);
      expect(await bucket.putPart(KEY, uploadId, 2, bytes)).toBeUndefined();
      expect(await bucket.parts(KEY, uploadId)).toBeUndefined();
      await bucket.abort(KEY, uploadId);
      expect((await read(bucket, KEY, { start: 0, end: SIZE }))?.bytes.equals(bytes)).toBe(true);
    });

    test("takes nothing more for an upload that was aborted", async () => {
      const bucket = await emptyBucket();
      const uploadId = await bucket.begin(KEY);
      const part = await putPart(bucket, uploadId, 1, patternBytes(8, 0, PART));
      await bucket.abort(KEY, uploadId);
      await bucket.abort(KEY, uploadId);
      expect(await bucket.putPart(KEY, uploadId, 2, patternBytes(8, 0, PART))).toBeUndefined();
      expect(await bucket.parts(KEY, uploadId)).toBeUndefined();
      expect(await bucket.complete(KEY, uploadId, [part])).toBe(false);
      expect(await bucket.head(KEY)).toBeUndefined();
    });

    test("makes no object of a part that is not there", async () => {
      const bucket = await emptyBucket();
      const uploadId = await bucket.begin(KEY);
      const part = await putPart(bucket, uploadId, 1, patternBytes(9, 0, PART));
      const made = bucket.complete(KEY, uploadId, [part, { ...part, number: 2 }]);
      await expect(made).rejects.toMatchObject({ code: "fleet-unavailable" });
      expect(await bucket.head(KEY)).toBeUndefined();
      expect(await bucket.complete(KEY, uploadId, [part])).toBe(true);
    });

    test("lists all parts of an upload that has many", async () => {
      const bucket = await emptyBucket();
      const uploadId = await bucket.begin(KEY);
      const numbers = Array.from({ length: SEVERAL_PAGES }, (_, index) => index + 1);
      await Promise.all(
        numbers.map((number) => bucket.putPart(KEY, uploadId, number, patternBytes(number, 0, number))),
      );
      const parts = (await bucket.parts(KEY, uploadId)) ?? [];
      expect(parts.map(({ number, size }) => [number, size])).toEqual(
        numbers.map((number) => [number, number]),
      );
    });

    test("lists all objects below a prefix in the order of their keys, each with its size and time", async () => {
      const bucket = await emptyBucket();
      const names = Array.from(
        { length: SEVERAL_PAGES },
        (_, index) => `blobs/sha256/${hash(Buffer.from([index]))}/${index}`,
      );
      const others = ["blobs-2", "other/1", "zebra"];
      await Promise.all(
        [...names, ...others].map((key, index) => bucket.put(key, patternBytes(1, 0, index))),
      );
      const listed = await collect(bucket.list("blobs/"));
      expect(listed.map(({ key }) => key)).toEqual(names.toSorted());
      for (const { key, size, changedAt } of listed) {
        expect(size).toBe(names.indexOf(key));
        expect(Math.abs(changedAt - Date.now())).toBeLessThan(600_000);
      }
      const all = (await collect(bucket.list(""))).map(({ key }) => key);
      expect(all.toSorted()).toEqual([...names, ...others].sort());
    });

    test("lists all uploads below a prefix, also several of one key", async () => {
      const bucket = await emptyBucket();
      const keys = Array.from({ length: SEVERAL_PAGES }, (_, index) => `blobs/${index % 20}`);
      const begun = await Promise.all(keys.map(async (key) => ({ key, uploadId: await bucket.begin(key) })));
      await bucket.begin("other/1");
      const listed = await collect(bucket.uploads("blobs/"));
      const names = (uploads: readonly { key: string; uploadId: string }[]) =>
        uploads.map(({ key, uploadId }) => `${key} ${uploadId}`).sort();
      expect(names(listed)).toEqual(names(begun));
      for (const { begunAt } of listed) expect(Math.abs(begunAt - Date.now())).toBeLessThan(600_000);
    });

    test("removes more keys than stores take at once, whether they are there or not", async () => {
      const bucket = await emptyBucket();
      const keys = Array.from({ length: 1_002 }, (_, index) => `blobs/${String(index).padStart(5, "0")}`);
      const present = [keys[0], keys[999], keys[1_001]].filter((key) => key !== undefined);
      for (const key of [...present, "blobs/kept"]) await bucket.put(key, patternBytes(1, 0, 10));
      await bucket.remove(keys);
      expect((await collect(bucket.list(""))).map(({ key }) => key)).toEqual(["blobs/kept"]);
    });

    test.each(STRANGE_KEYS)("keeps an object with the key %j", async (key) => {
      const { bucket, get } = await opened();
      const bytes = patternBytes(10, 0, 100);
      await bucket.put(key, bytes);
      expect(await bucket.head(key)).toEqual({ size: 100 });
      expect((await read(bucket, key, { start: 0, end: 100 }))?.bytes.equals(bytes)).toBe(true);
      expect((await get((await bucket.sign(key, 60_000)).url)).bytes.equals(bytes)).toBe(true);
      expect((await collect(bucket.list(""))).map((listed) => listed.key)).toEqual([key]);
      await bucket.remove([key]);
      expect(await bucket.head(key)).toBeUndefined();
    });

    test("signs an address that anybody can read and nobody can change", async () => {
      const { bucket, get } = await opened();
      await bucket.put(KEY, patternBytes(11, 0, SIZE));
      await bucket.put(`${KEY}1`, patternBytes(12, 0, SIZE));
      const { url, expiresAt } = await bucket.sign(KEY, 60_000);
      expect(expiresAt).toBeGreaterThan(Date.now());
      expect(expiresAt).toBeLessThanOrEqual(Date.now() + 60_000);
      const { status, bytes } = await get(url);
      expect(status).toBe(200);
      expect(hash(bytes)).toBe(hash(patternBytes(11, 0, SIZE)));
      expect((await get(url.replace(KEY, `${KEY}1`))).status).toBe(403);
      expect((await get(url.replace(/(signature=)[^&]/i, "$1x"))).status).toBe(403);
    });

    test("signs an address that ends with its time", async () => {
      const { bucket, get } = await opened();
      await bucket.put(KEY, patternBytes(13, 0, 10));
      const { url, expiresAt } = await bucket.sign(KEY, 2_000);
      await eventually(async () => expect((await get(url)).status).toBe(403));
      expect(Date.now()).toBeGreaterThanOrEqual(expiresAt);
    });

    test("ends a read when its signal says so, and goes on with others", async () => {
      const bucket = await bucketWith(patternBytes(14, 0, 4 * PART));
      const stop = new AbortController();
      const opened = await bucket.open(KEY, { start: 0, end: 4 * PART }, stop.signal);
      const reading = (async () => {
        for await (const _ of opened?.body ?? []) stop.abort();
      })();
      await expect(reading).rejects.toMatchObject({ code: "aborted" });
      await expect(bucket.open(KEY, { start: 0, end: 1 }, stop.signal)).rejects.toMatchObject({
        code: "aborted",
      });
      const unread = await bucket.open(KEY, { start: 0, end: 4 * PART }, new AbortController().signal);
      unread?.dismiss();
      unread?.dismiss();
      for await (const _ of (await bucket.open(KEY, { start: 0, end: PART }, new AbortController().signal))
        ?.body ?? [])
        break;
      expect((await read(bucket, KEY, { start: 5, end: 10 }))?.bytes.equals(patternBytes(14, 5, 5))).toBe(
        true,
      );
    });

    test("proves itself with an object of which nothing stays", async () => {
      const bucket = await emptyBucket();
      await bucket.check();
      expect(await collect(bucket.list(""))).toEqual([]);
    });
  });
}

/** UploadPart `number` of a whole in parts of the smallest size. */
async function putPart(bucket: Bucket, uploadId: string, number: number, whole: Buffer): Promise<UploadPart> {
  const bytes = whole.subarray((number - 1) * PART, number * PART);
  const part = await bucket.putPart(KEY, uploadId, number, bytes);
  if (part === undefined) throw new Error(`The upload was not there for its part ${number}.`);
  expect(part).toMatchObject({ number, size: bytes.length });
  return part;
}

async function read(bucket: Bucket, key: string, range: ByteRange) {
  const opened = await bucket.open(key, range, new AbortController().signal);
  if (opened === undefined) return undefined;
  return { range: opened.range, size: opened.size, bytes: Buffer.concat(await collect(opened.body)) };
}

function hash(bytes: Uint8Array | undefined): string {
  return createHash("sha256")
    .update(bytes ?? "")
    .digest("hex");
}
