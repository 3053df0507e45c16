/** Shows that nobody else on the machine can read what is stored, and that a link in our files' places makes nothing elsewhere. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { openMirror } from "../../src/open.ts";
import { prepareLayout } from "../../src/store/storage-directory.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { adoptPattern, fullPartial, tempStore } from "../support/temp-store.ts";

function open(directory: string) {
  const settings = {
    listeners: [],
    storage: { directory, maxSize: 2 ** 30, minFree: 0 },
    upstreams: [],
    drainMs: 1_000,
    log: { level: "silent", format: "json" },
  } as const;
  return openMirror(settings, { log: silentLog, metrics: createMetrics(), clock: systemClock });
}

/** Everything below `directory`, and itself, as "mode path". */
function modesBelow(directory: string, path = ""): string[] {
  const found = lstatSync(join(directory, path));
  const names = found.isDirectory() ? readdirSync(join(directory, path)) : [];
  const own = `${(found.mode & 0o777).toString(8)} ${found.isDirectory() ? "folder" : "file"} ${path}`;
  return [own, ...names.flatMap((name) => modesBelow(directory, join(path, name)))];
}

const looser = (modes: readonly string[]) =>
  modes.filter((line) => !/^(750 folder|750 file|(640|600|440) file)/.test(line));

describe("what is stored", () => {
  it("is closed to others from the start, whatever the umask says", async () => {
    const directory = join(await tempDirectory(), "data");
    const umask = process.umask(0);
    try {
      const mirror = await open(directory);
      const store = await tempStore(directory);
      await adoptPattern(store, 1, 100_000);
      const partial = await fullPartial(store.spool, 2, 1_000);
      await partial.checkpoint();
      expect(looser(modesBelow(directory))).toEqual([]);
      await partial.discard();
      await mirror.close(1_000);
      const held = await prepareLayout(join(directory, "layers"));
      expect(looser(modesBelow(join(directory, "layers")))).toEqual([]);
      await held.release();
    } finally {
      process.umask(umask);
    }
  });

  it("by an earlier Granary that left it open is closed at the next start, and stays readable for us", async () => {
    const directory = join(await tempDirectory(), "data");
    const store = await tempStore(directory);
    const digest = await adoptPattern(store, 1, 100_000);
    await (await open(directory)).close(1_000);
    for (const line of modesBelow(directory)) {
      const [, kind, path = ""] = line.split(" ");
      chmodSync(join(directory, path), kind === "folder" ? 0o755 : 0o644);
    }
    const mirror = await open(directory);
    expect(looser(modesBelow(directory))).toEqual([]);
    expect(await store.blobs.stat(digest)).toEqual({ size: 100_000 });
    await mirror.close(1_000);
  });

  it("in a directory in which other things lie is closed, and the directory is not", async () => {
    const directory = await tempDirectory();
    writeFileSync(join(directory, "somebody-elses"), "x");
    chmodSync(join(directory, "somebody-elses"), 0o644);
    chmodSync(directory, 0o755);
    await (await open(directory)).close(1_000);
    expect(looser(modesBelow(directory))).toEqual(["755 folder ", "644 file somebody-elses"]);
  });
});

describe("a link to nothing", () => {
  it.each(["granary.db", "granary.db-wal", "granary.db-shm", "granary.db-journal", ".", "blobs", "partial"])(
    "in the place of %s is refused in one sentence, and its target is not made",
    async (name) => {
      const parent = await tempDirectory();
      const directory = join(parent, "data");
      const target = join(parent, "elsewhere");
      if (name !== ".") mkdirSync(directory);
      symlinkSync(target, join(directory, name));
      await expect(open(directory)).rejects.toMatchObject({
        code: expect.stringMatching(/config-invalid|store-damaged/),
        message: expect.stringMatching(/symbolic link|links to/),
      });
      expect(existsSync(target)).toBe(false);
    },
  );

  it("nor is anything else than a file taken for the database, or a link for a working directory's lock", async () => {
    const directory = await tempDirectory();
    mkdirSync(join(directory, "granary.db"));
    await expect(open(directory)).rejects.toMatchObject({ code: "config-invalid" });
    const other = await tempDirectory();
    symlinkSync(join(directory, "elsewhere"), join(other, "lock.db"));
    await expect(prepareLayout(other)).rejects.toMatchObject({ code: "config-invalid" });
    expect(existsSync(join(directory, "elsewhere"))).toBe(false);
  });
});
