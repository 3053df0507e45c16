/** Owns what is particular to Partials as files: torn maps, files that lie, symbolic links, a full disk, a killed process. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Partial } from "../../src/store/partial.ts";
import { openSpool } from "../../src/store/spool.ts";
import { prepareLayout } from "../../src/store/storage-directory.ts";
import { spoolContract } from "../contract/spool-contract.ts";
import { digestOfPattern, firstDifference, patternBytes } from "../support/pattern.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { owned, put, readBytes, tempStore } from "../support/temp-store.ts";

const SIZE = 1024 * 1024;

spoolContract("files", async () => {
  const { layout, spool } = await tempStore();
  const reopen = async () => {
    return (await tempStore(layout.directory)).spool;
  };
  return { spool, reopen };
});

/** A saved Partial of the pattern `seed` with `[0, 1000)` in its map. */
async function savedPartial(seed: number) {
  const { layout, spool } = await tempStore();
  const digest = digestOfPattern(seed, SIZE);
  const partial = await spool.openPartial(owned(digest), SIZE);
  await put(partial, seed, { start: 0, end: 1000 });
  await partial.checkpoint();
  await partial.close();
  return { layout, spool, digest, files: layout.partial(owned(digest)) };
}

describe("a saved map", () => {
  const damages: [string, (map: string) => string][] = [
    ["is torn in the middle", (map) => map.slice(0, map.length / 2)],
    ["is empty", () => ""],
    ["is of another version", (map) => map.replace('"version":1', '"version":2')],
    ["is of another digest", (map) => map.replace(/[0-9a-f]{64}/, "0".repeat(64))],
    ["claims more than the size", (map) => map.replace("1000", String(SIZE + 1))],
    ["has a range without an end", (map) => map.replace("[0,1000]", "[0,1000,2000]")],
    ["has a range that runs backwards", (map) => map.replace("[0,1000]", "[1000,0]")],
    ["is no object", () => "null"],
  ];

  test.each(damages)("F8: that %s claims nothing", async (_, damage) => {
    const { spool, digest, files } = await savedPartial(1);
    const text = readFileSync(files.map, "utf8");
    expect(damage(text)).not.toBe(text);
    writeFileSync(files.map, damage(text));
    const partial = await spool.openPartial(owned(digest), SIZE);
    expect([partial.present.total, partial.resumed]).toEqual([0, false]);
    expect(existsSync(files.map)).toBe(false);
    expect(await readBytes(partial, 0, 10)).toEqual(Buffer.alloc(10));
    await partial.close();
  });

  test("F8: claims nothing over a file that is shorter than its claim", async () => {
    const { spool, digest, files } = await savedPartial(2);
    truncateSync(files.data, 999);
    const partial = await spool.openPartial(owned(digest), SIZE);
    expect(partial.present.total).toBe(0);
    await partial.close();
  });

  test("holds over a file that lost only its empty end", async () => {
    const { spool, digest, files } = await savedPartial(3);
    truncateSync(files.data, 1000);
    const partial = await spool.openPartial(owned(digest), SIZE);
    expect(partial.present.total).toBe(1000);
    expect(statSync(files.data).size).toBe(SIZE);
    await partial.close();
  });

  test("F8: is not believed by a file that was made anew", async () => {
    const { spool, digest, files } = await savedPartial(4);
    rmSync(files.data);
    const partial = await spool.openPartial(owned(digest), SIZE);
    expect(partial.present.total).toBe(0);
    await partial.close();
    expect(existsSync(files.map)).toBe(false);
    const again = await spool.openPartial(owned(digest), SIZE);
    expect(again.present.total).toBe(0);
    await again.close();
  });

  test("that stands alone is listed as empty, so that it can be removed", async () => {
    const { spool, digest, files } = await savedPartial(5);
    rmSync(files.data);
    expect(await spool.list()).toMatchObject([{ digest, present: 0 }]);
    await spool.remove(owned(digest));
    expect(existsSync(files.map)).toBe(false);
  });

  test("leaves no draft behind when its partial goes, although a crash left one", async () => {
    const { layout, spool, digest, files } = await savedPartial(7);
    writeFileSync(`${files.map}.new`, "half a m");
    await spool.remove(owned(digest));
    expect(readdirSync(layout.partialsOf("sha256"))).toEqual([]);
  });

  test("of a file without one is listed as empty, and foreign files are not listed", async () => {
    const { layout, spool, digest, files } = await savedPartial(6);
    rmSync(files.map);
    writeFileSync(join(layout.partialsOf("sha256"), "notes.txt"), "mine");
    expect(await spool.list()).toMatchObject([{ digest, present: 0, size: SIZE }]);
  });
});

describe("a symbolic link in the spool", () => {
  test("in place of the data is replaced, and its target stays as it was (82)", async () => {
    const { layout, spool, digest, files } = await savedPartial(10);
    const outside = join(layout.directory, "outside");
    writeFileSync(outside, patternBytes(10, 0, SIZE));
    rmSync(files.data);
    symlinkSync(outside, files.data);
    const partial = await spool.openPartial(owned(digest), SIZE);
    expect(partial.present.total).toBe(0);
    await partial.write(0, [Buffer.alloc(1000)]);
    await partial.close();
    expect(lstatSync(files.data).isFile()).toBe(true);
    expect(readFileSync(outside).equals(patternBytes(10, 0, SIZE))).toBe(true);
  });

  test("in place of the map claims nothing and is not written through (82)", async () => {
    const { layout, spool, digest, files } = await savedPartial(11);
    const outside = join(layout.directory, "outside");
    writeFileSync(outside, readFileSync(files.map));
    rmSync(files.map);
    symlinkSync(outside, files.map);
    const partial = await spool.openPartial(owned(digest), SIZE);
    expect(partial.present.total).toBe(0);
    await put(partial, 11, { start: 0, end: 5 });
    await partial.checkpoint();
    await partial.close();
    expect(readFileSync(outside, "utf8")).toContain("[0,1000]");
  });
});

test("a partial takes no room for what it does not hold", async () => {
  const { layout, spool } = await tempStore();
  const size = 1024 ** 4;
  const digest = digestOfPattern(20, 10);
  const partial = await spool.openPartial(owned(digest), size);
  await partial.write(size - 5, [Buffer.from("12345")]);
  const found = statSync(layout.partial(owned(digest)).data);
  expect([found.size, found.blocks * 512 < SIZE]).toEqual([size, true]);
  await partial.discard();
});

describe("on a full disk", () => {
  test("a write says `store-full`, the last map stays, and reads go on", async (context) => {
    const directory = join(await tempDirectory(), "small");
    mkdirSync(directory);
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", directory]);
    if (mounted.status !== 0) return context.skip("a small tmpfs cannot be mounted here");
    onTestFinished(() => void spawnSync("umount", [directory]));
    const { spool } = await tempStore(directory);
    const partial = await spool.openPartial(owned(digestOfPattern(21, 8 * SIZE)), 8 * SIZE);
    await put(partial, 21, { start: 0, end: 512 * 1024 });
    await partial.checkpoint();
    const write = partial.write(SIZE, [patternBytes(21, SIZE, 2 * SIZE)]);
    await expect(write).rejects.toMatchObject({ code: "store-full" });
    partial.present.add({ start: SIZE, end: SIZE + 10 });
    await expect(partial.checkpoint()).rejects.toMatchObject({ code: "store-full" });
    expect(await readBytes(partial, 1000, 1000)).toEqual(patternBytes(21, 1000, 1000));
    await partial.close();
    const again = await spool.openPartial(owned(partial.digest), 8 * SIZE);
    expect([...again.present]).toEqual([{ start: 0, end: 512 * 1024 }]);
    await again.discard();
  });
});

describe("F8: after SIGKILL", () => {
  test.each([1, 2, 7])(
    "at checkpoint %i the map claims what was saved, and only right bytes",
    async (kill) => {
      const directory = await tempDirectory();
      const saved = await saveUntilKilled(directory, kill);
      const layout = await prepareLayout(directory);
      onTestFinished(() => layout.release());
      const size = 48 * SIZE;
      const partial = await openSpool(layout).openPartial(owned(digestOfPattern(30, 1)), size);
      expect(partial.present.total).toBeGreaterThanOrEqual(saved);
      await expectPattern(partial, 30);
      await partial.discard();
    },
  );
});

/** Runs a process that fills and checkpoints at once, kills it after `kill` checkpoints, and tells what the last one saved. */
async function saveUntilKilled(directory: string, kill: number): Promise<number> {
  const script = join(import.meta.dirname, "../support/fill-until-killed.ts");
  const child = spawn(process.execPath, [script, directory], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  let saved = 0;
  let count = 0;
  for await (const line of createInterface(child.stdout)) {
    saved = Number(line);
    if (++count === kill) child.kill("SIGKILL");
  }
  expect((await exited)[1]).toBe("SIGKILL");
  expect(saved).toBeGreaterThan(0);
  return saved;
}

async function expectPattern(partial: Partial, seed: number): Promise<void> {
  for (const { start, end } of partial.present) {
    for (let at = start; at < end; at += SIZE) {
      const bytes = await readBytes(partial, at, Math.min(SIZE, end - at));
      expect(firstDifference(seed, at, bytes)).toBeUndefined();
    }
  }
}
