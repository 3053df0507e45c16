/** Owns what is particular to blobs as files: where they lie, their mode, damage, symbolic links, crashes in the middle of adopt. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { encodedOf } from "../../src/oci/digest.ts";
import { blobStoreContract } from "../contract/blob-store-contract.ts";
import { collect } from "../support/collect.ts";
import { digestOfPattern, patternBytes } from "../support/pattern.ts";
import { adoptPattern, fullPartial, owned, tempStore } from "../support/temp-store.ts";

const SIZE = 10_000;

blobStoreContract("files", () => tempStore());

test("a blob lies under the first two digits of its digest, read-only, and its map is gone", async () => {
  const store = await tempStore();
  const digest = await adoptPattern(store, 1, SIZE);
  const hex = encodedOf(digest);
  const path = join(store.layout.directory, "blobs", "sha256", hex.slice(0, 2), hex);
  expect(store.layout.blob(digest)).toBe(path);
  expect(statSync(path).mode & 0o777).toBe(0o440);
  expect(readFileSync(path).equals(patternBytes(1, 0, SIZE))).toBe(true);
  expect(existsSync(store.layout.partial(owned(digest)).data)).toBe(false);
  expect(existsSync(store.layout.partial(owned(digest)).map)).toBe(false);
});

test("F9: a blob whose record was lost in a crash is found by the list, with the time it came", async () => {
  const store = await tempStore();
  const before = Date.now() - 5000;
  const digest = await adoptPattern(store, 2, SIZE);
  const [listed, ...others] = await collect(store.blobs.list());
  expect(others).toEqual([]);
  expect(listed).toMatchObject({ digest, size: SIZE });
  expect(listed?.changedAt).toBeGreaterThan(before);
});

test("F9: an adopt that died after its rename is finished by the next one", async () => {
  const store = await tempStore();
  const partial = await fullPartial(store.spool, 3, SIZE);
  await partial.checkpoint();
  const { layout } = store;
  mkdirSync(layout.blobDirectory(partial.digest));
  renameSync(layout.partial(owned(partial.digest)).data, layout.blob(partial.digest));
  await store.blobs.adopt(partial, partial.digest);
  await partial.close();
  expect(existsSync(layout.partial(owned(partial.digest)).map)).toBe(false);
  expect(await store.blobs.stat(partial.digest)).toEqual({ size: SIZE });
});

test("adopt heals a file of the wrong size and a symbolic link in the blob's place", async () => {
  const store = await tempStore();
  const digest = await adoptPattern(store, 4, SIZE);
  const path = store.layout.blob(digest);
  const damages = [
    () => {
      chmodSync(path, 0o644);
      writeFileSync(path, "short");
    },
    () => {
      rmSync(path);
      symlinkSync("/etc/passwd", path);
    },
  ];
  for (const damage of damages) {
    damage();
    await adoptPattern(store, 4, SIZE);
    expect(await store.blobs.stat(digest)).toEqual({ size: SIZE });
    expect(readFileSync(path).equals(patternBytes(4, 0, SIZE))).toBe(true);
  }
});

describe("what is no plain file", () => {
  const strange: [string, (path: string, outside: string) => void][] = [
    ["a symbolic link", (path, outside) => symlinkSync(outside, path)],
    ["a directory", (path) => mkdirSync(path)],
  ];

  test.each(strange)("in a blob's place counts as damage: %s (82)", async (_, place) => {
    const { layout, blobs } = await tempStore();
    const digest = digestOfPattern(5, SIZE);
    const outside = join(layout.directory, "outside");
    writeFileSync(outside, patternBytes(5, 0, SIZE));
    mkdirSync(layout.blobDirectory(digest));
    place(layout.blob(digest), outside);
    await expect(blobs.open(digest)).rejects.toMatchObject({ code: "store-damaged" });
    await expect(blobs.stat(digest)).rejects.toMatchObject({ code: "store-damaged" });
    expect(await collect(blobs.list())).toEqual([]);
  });

  test("above a blob is not followed either (82)", async () => {
    const store = await tempStore();
    const digest = await adoptPattern(store, 6, SIZE);
    const directory = store.layout.blobDirectory(digest);
    const outside = join(store.layout.directory, "outside");
    renameSync(directory, outside);
    symlinkSync(outside, directory);
    await expect(store.blobs.open(digest)).rejects.toMatchObject({ code: "store-damaged" });
    await expect(store.blobs.stat(digest)).rejects.toMatchObject({ code: "store-damaged" });
    await expect(store.blobs.remove(digest)).rejects.toMatchObject({ code: "store-damaged" });
    const partial = await fullPartial(store.spool, 6, SIZE);
    await expect(store.blobs.adopt(partial, digest)).rejects.toMatchObject({ code: "store-damaged" });
    await partial.discard();
    expect(await collect(store.blobs.list())).toEqual([]);
    expect(existsSync(join(outside, encodedOf(digest)))).toBe(true);
  });

  test("and foreign or misplaced files are passed over by the list", async () => {
    const store = await tempStore();
    const digest = await adoptPattern(store, 7, SIZE);
    const sha256 = store.layout.blobsOf("sha256");
    const wrong = join(sha256, encodedOf(digest).startsWith("00") ? "01" : "00");
    mkdirSync(wrong);
    writeFileSync(join(wrong, encodedOf(digest)), "");
    writeFileSync(join(store.layout.blobDirectory(digest), "README"), "");
    writeFileSync(join(sha256, "README"), "");
    expect((await collect(store.blobs.list())).map((found) => found.digest)).toEqual([digest]);
  });
});
