/** Owns the proof of the storage directory's paths, version and lock. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { layoutOf, prepareLayout } from "../../src/store/layout.ts";
import { tempDirectory } from "../support/temp-directory.ts";

/** Node's own child that only lives: a pid that is surely alive, and after its end surely dead. */
async function otherProcess() {
  const child = spawn(process.execPath, ["-e", "console.log(1); setInterval(() => {}, 1000)"]);
  await once(child.stdout, "data");
  const end = async () => {
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  return { pid: Number(child.pid), end };
}

describe("the layout", () => {
  test("makes every path from the digest alone", () => {
    const layout = layoutOf("/data");
    const digest = digestOf(Buffer.from("x"), "sha512");
    const hex = digest.slice("sha512:".length);
    expect(layout.blob(digest)).toBe(`/data/blobs/sha512/${hex.slice(0, 2)}/${hex}`);
    expect(layout.partial(digest)).toEqual({
      data: `/data/partial/sha512/${hex}`,
      map: `/data/partial/sha512/${hex}.map`,
    });
    expect(layout.database).toBe("/data/granary.db");
  });

  test("is created where nothing is, and found again", async () => {
    const directory = join(await tempDirectory(), "deep", "er");
    for (let turn = 0; turn < 2; turn++) {
      const layout = await prepareLayout(directory);
      expect(readdirSync(directory).sort()).toEqual(["blobs", "granary.lock", "layout.json", "partial"]);
      await layout.release();
      await layout.release();
    }
    expect(readdirSync(directory).sort()).toEqual(["blobs", "layout.json", "partial"]);
    expect(readdirSync(join(directory, "blobs"))).toEqual(["sha256", "sha512"]);
    expect(JSON.parse(readFileSync(join(directory, "layout.json"), "utf8"))).toEqual({ version: 1 });
  });

  test.each(['{"version":2}', "{}", "torn {", '{"version":"1"}'])(
    "refuses layout.json with %s and changes nothing",
    async (text) => {
      const directory = await tempDirectory();
      writeFileSync(join(directory, "layout.json"), text);
      await expect(prepareLayout(directory)).rejects.toMatchObject({
        code: "store-damaged",
        message: expect.stringContaining(join(directory, "layout.json")),
      });
      expect(readdirSync(directory)).toEqual(["layout.json"]);
    },
  );

  test("refuses a file in its place with one sentence that names it", async () => {
    const path = join(await tempDirectory(), "file");
    writeFileSync(path, "");
    for (const directory of [path, join(path, "below")]) {
      await expect(prepareLayout(directory)).rejects.toMatchObject({
        code: "config-invalid",
        message: expect.stringMatching(
          /^The storage directory .*file.* cannot be used: .*storage\.directory/,
        ),
      });
    }
  });

  test("refuses a directory that cannot be written", async () => {
    // /proc is there on every Linux, and nobody, root included, can make a file in it.
    if (!existsSync("/proc/self")) return;
    await expect(prepareLayout("/proc/self")).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringContaining("Make it writable"),
    });
    // Here mkdir says ENOENT for good: Node's recursive one would try for ever.
    await expect(prepareLayout("/proc/granary/data")).rejects.toMatchObject({ code: "config-invalid" });
  });

  test("refuses a symbolic link where a directory of its own belongs (82)", async () => {
    const directory = await tempDirectory();
    const outside = await tempDirectory();
    mkdirSync(join(directory, "blobs"));
    symlinkSync(outside, join(directory, "blobs", "sha256"));
    await expect(prepareLayout(directory)).rejects.toMatchObject({
      code: "store-damaged",
      message: expect.stringContaining("blobs/sha256"),
    });
    expect(existsSync(join(directory, "granary.lock"))).toBe(false);
  });
});

describe("the lock", () => {
  test("keeps a second user of the directory out, under any of its names", async () => {
    const directory = await tempDirectory();
    const link = `${directory}-link`;
    symlinkSync(directory, link);
    const layout = await prepareLayout(directory);
    for (const name of [directory, link]) {
      await expect(prepareLayout(name)).rejects.toMatchObject({
        code: "config-invalid",
        message: expect.stringContaining(`in use by process ${process.pid}`),
      });
    }
    await layout.release();
    const again = await prepareLayout(link);
    await again.release();
  });

  test("of a living process holds, and is taken over when that process is dead", async () => {
    const directory = await tempDirectory();
    const first = await prepareLayout(directory);
    const lock = join(directory, "granary.lock");
    const mine = JSON.parse(readFileSync(lock, "utf8"));
    await first.release();
    const other = await otherProcess();
    const startedAt = startOf(other.pid, mine.startedAt);
    writeFileSync(lock, JSON.stringify({ pid: other.pid, startedAt, token: "t" }));
    await expect(prepareLayout(directory)).rejects.toMatchObject({
      code: "config-invalid",
      facts: { found: other.pid },
    });
    await other.end();
    const taken = await prepareLayout(directory);
    expect(JSON.parse(readFileSync(lock, "utf8")).pid).toBe(process.pid);
    await taken.release();
  });

  test.each([
    [
      "the same pid in an earlier life",
      JSON.stringify({ pid: process.pid, startedAt: "boot/1", token: "t" }),
    ],
    ["a torn text", '{"pid":'],
  ])("left by %s is taken over", async (_, text) => {
    const directory = await tempDirectory();
    writeFileSync(join(directory, "granary.lock"), text);
    const layout = await prepareLayout(directory);
    expect(readdirSync(directory).filter((name) => name.startsWith("granary.lock"))).toEqual([
      "granary.lock",
    ]);
    await layout.release();
  });
});

/** As the lock writes it: the boot that `mine` names, and field 22 of the process's stat. */
function startOf(pid: number, mine: string): string {
  const status = readFileSync(`/proc/${pid}/stat`, "utf8");
  return `${mine.split("/")[0]}/${status.slice(status.lastIndexOf(")") + 2).split(" ")[19]}`;
}
