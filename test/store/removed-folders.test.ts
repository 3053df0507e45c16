/** Shows a store whose folders somebody removes under it: they are made again, and bytes that are here are not fetched anew. */
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeFolders } from "../../src/store/storage-folders.ts";
import { collect } from "../support/collect.ts";
import { digestOfPattern, patternBytes } from "../support/pattern.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import {
  adoptPattern,
  fullPartial,
  owned,
  put,
  readBytes,
  type TempStore,
  tempStore,
} from "../support/temp-store.ts";

const SIZE = 3 * 1024 * 1024 + 5;

const REMOVALS: [string, (store: TempStore) => void][] = [
  ["the directory itself", ({ layout }) => rmSync(layout.directory, { recursive: true })],
  ["blobs and partial", ({ layout }) => removeAll(layout.directory, "blobs", "partial")],
  ["partial/sha256", ({ layout }) => removeAll(layout.directory, "partial/sha256")],
  ["blobs/sha256", ({ layout }) => removeAll(layout.directory, "blobs/sha256")],
  [
    "only the files",
    ({ layout }) => rmSync(layout.partial(owned(digestOfPattern(1, SIZE))).data, { force: true }),
  ],
];

function removeAll(directory: string, ...names: string[]): void {
  for (const name of names) rmSync(join(directory, name), { recursive: true });
}

describe.each(REMOVALS)("%s removed", (_, remove) => {
  test("between two blobs: the next one is written and adopted", async () => {
    const store = await tempStore();
    await adoptPattern(store, 9, 100);
    remove(store);
    expect(await store.spool.list()).toEqual([]);
    const digest = await adoptPattern(store, 1, SIZE);
    expect(await store.blobs.stat(digest)).toEqual({ size: SIZE });
    expect((await store.blobs.disk()).free).toBeGreaterThan(0);
  });

  test("in the middle of one: it is read on, checkpointed and adopted with every byte that it had", async () => {
    const store = await tempStore();
    const partial = await store.spool.openPartial(owned(digestOfPattern(1, SIZE)), SIZE);
    await put(partial, 1, { start: 0, end: 1000 });
    await partial.checkpoint();
    remove(store);
    await put(partial, 1, { start: 1000, end: SIZE });
    await partial.checkpoint();
    expect(await readBytes(partial, 500, 1000)).toEqual(patternBytes(1, 500, 1000));
    await store.blobs.adopt(partial, partial.digest);
    expect(await readBytes(partial, 500, 1000)).toEqual(patternBytes(1, 500, 1000));
    await partial.close();
    const stored = await store.blobs.open(partial.digest);
    if (stored === undefined) throw new Error("it was not adopted");
    expect((await readBytes(stored, 0, SIZE)).equals(patternBytes(1, 0, SIZE))).toBe(true);
    await stored.close();
    expect(await store.spool.list()).toEqual([]);
  });

  test("in the middle of one that is given up: nothing is left and nothing fails", async () => {
    const store = await tempStore();
    const partial = await fullPartial(store.spool, 1, SIZE);
    await partial.checkpoint();
    remove(store);
    await partial.discard();
    // A map alone claims nothing, and goes with the next sweep.
    expect((await store.spool.list()).filter(({ present }) => present > 0)).toEqual([]);
  });
});

test("without any folder there are no blobs and no partials, which is no failure", async () => {
  const store = await tempStore();
  rmSync(store.layout.directory, { recursive: true });
  expect(await collect(store.blobs.list())).toEqual([]);
  expect(await store.spool.list()).toEqual([]);
  expect(await store.blobs.stat(digestOfPattern(1, 5))).toBeUndefined();
});

test("somebody else's file in the place of a partial's is never adopted for it", async () => {
  const store = await tempStore();
  const partial = await fullPartial(store.spool, 1, SIZE);
  const { data } = store.layout.partial(partial);
  rmSync(data);
  writeFileSync(data, "half of what another process has");
  await expect(store.blobs.adopt(partial, partial.digest)).rejects.toMatchObject({ code: "store-damaged" });
  expect(await store.blobs.stat(partial.digest)).toBeUndefined();
  await partial.close();
  expect(existsSync(data)).toBe(true);
});

test.each([
  ["a file", (path: string) => writeFileSync(path, ""), /Something else lies in its place: move that away/],
  ["a link to nothing", (path: string) => symlinkSync(`${path}-nothing`, path), /or what it links to/],
])("%s in the place of the directory is said so", async (_, make, advice) => {
  const { layout } = await tempStore();
  const aside = join(await tempDirectory(), "aside");
  renameSync(layout.directory, aside);
  make(layout.directory);
  await expect(makeFolders(layout)).rejects.toMatchObject({
    code: "config-invalid",
    message: expect.stringMatching(advice),
  });
  rmSync(layout.directory);
  mkdirSync(layout.directory);
  await makeFolders(layout);
});
