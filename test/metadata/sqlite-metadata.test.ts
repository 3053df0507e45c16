/** Owns what is particular to the SQLite file: damage, newer schemas, crashes, and that a refusal changes nothing. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { describe, expect, onTestFinished, test } from "vitest";
import type { GranaryError } from "../../src/errors.ts";
import { openDatabase } from "../../src/metadata/database.ts";
import type { Metadata } from "../../src/metadata/metadata.ts";
import { MIGRATIONS, SCHEMA_VERSION } from "../../src/metadata/schema.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { metadataContract } from "../contract/metadata-contract.ts";
import { tempDirectory } from "../support/temp-directory.ts";

metadataContract("SQLite", async () => {
  const path = await databasePath();
  return { metadata: opened(path), reopen: async () => opened(path) };
});

async function databasePath(): Promise<string> {
  return join(await tempDirectory(), "granary.db");
}

/** Closed when the test is over. */
function opened(path: string): Metadata {
  const metadata = openDatabase(path).metadata;
  onTestFinished(() => metadata.close());
  return metadata;
}

/** A closed database with enough rows to have many pages. */
async function filledDatabase(): Promise<string> {
  const path = await databasePath();
  const metadata = openDatabase(path).metadata;
  for (let index = 0; index < 500; index++) {
    await metadata.recordBlob({ digest: digestOf(Buffer.from(`${index}`)), size: index, usedAt: index });
  }
  await metadata.close();
  return path;
}

function refusalOf(path: string): unknown {
  try {
    void openDatabase(path).metadata.close();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe("a file that is refused", () => {
  const damages: [string, (path: string) => void][] = [
    ["is no database", (path) => writeFileSync(path, "x".repeat(5000))],
    ["is shorter than a header", (path) => truncateSync(path, 50)],
    ["lost its end", (path) => truncateSync(path, readFileSync(path).length / 2)],
    ["was overwritten in its middle", (path) => overwrite(path, 4096, 3 * 4096)],
    ["was overwritten in its schema", (path) => overwrite(path, 100, 4096)],
  ];

  test.each(damages)(
    "because it %s: says so, names it and what to do, and is left as it was",
    async (_, damage) => {
      const path = await filledDatabase();
      damage(path);
      const before = readFileSync(path);
      expect(refusalOf(path)).toMatchObject({
        code: "store-damaged",
        message: expect.stringMatching(/^The metadata file .*granary\.db cannot be used: .* Move it away/),
      });
      expect(readFileSync(path).equals(before)).toBe(true);
    },
  );

  test("because its schema is newer: says both versions, and is left as it was", async () => {
    const path = await filledDatabase();
    const other = new Sqlite(path);
    other.pragma(`user_version = ${SCHEMA_VERSION + 1}`);
    other.close();
    const before = readFileSync(path);
    const text = `it has schema version ${SCHEMA_VERSION + 1}, and this Granary knows ${SCHEMA_VERSION}`;
    expect(refusalOf(path)).toMatchObject({
      code: "store-damaged",
      message: expect.stringContaining(text),
    });
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(join(path, ".."))).toEqual(["granary.db"]);
  });

  test("because its schema is newer, told only by the log of a process that crashed", async () => {
    const path = await filledDatabase();
    const other = new Sqlite(path);
    onTestFinished(() => void other.close());
    other.pragma("journal_mode = WAL");
    other.pragma(`user_version = ${SCHEMA_VERSION + 1}`);
    const copy = await databasePath();
    for (const end of ["", "-wal"]) copyFileSync(`${path}${end}`, `${copy}${end}`);
    const before = [readFileSync(copy), readFileSync(`${copy}-wal`)];
    expect(refusalOf(copy)).toMatchObject({ code: "store-damaged" });
    expect(readFileSync(copy).equals(before[0] ?? Buffer.alloc(0))).toBe(true);
    expect(readFileSync(`${copy}-wal`).equals(before[1] ?? Buffer.alloc(0))).toBe(true);
  });

  test("because another process uses it: says that, and not that it is damaged", async () => {
    const path = await databasePath();
    opened(path);
    expect(refusalOf(path)).toMatchObject({
      code: "config-invalid",
      message: expect.stringContaining("in use by another process"),
    });
  });

  test("because it cannot be opened: says that it must be writable", async () => {
    const directory = await tempDirectory();
    expect(refusalOf(directory)).toMatchObject({
      code: expect.stringMatching(/config-invalid|store-damaged/),
    });
    expect(refusalOf(join(directory, "absent", "granary.db"))).toMatchObject({
      message: expect.stringContaining(directory),
    });
  });
});

test("a missing and an empty file become a new database of the newest schema", async () => {
  for (const make of [() => {}, (path: string) => writeFileSync(path, "")]) {
    const path = await databasePath();
    make(path);
    const metadata = openDatabase(path).metadata;
    expect(await metadata.sums()).toEqual({ blobs: 0, bytes: 0, manifests: 0 });
    await metadata.close();
    const file = new Sqlite(path, { readonly: true });
    expect(file.pragma("user_version", { simple: true })).toBe(SCHEMA_VERSION);
    file.close();
  }
});

test("every migration leads from the version before it, and opening twice runs none again", async () => {
  for (let version = 0; version < MIGRATIONS.length; version++) {
    const path = await databasePath();
    const older = new Sqlite(path);
    for (const migration of MIGRATIONS.slice(0, version)) older.exec(migration);
    older.pragma(`user_version = ${version}`);
    older.close();
    for (let turn = 0; turn < 2; turn++) {
      const metadata = openDatabase(path).metadata;
      await metadata.recordBlob({ digest: digestOf(Buffer.from(`${turn}`)), size: 1, usedAt: 1 });
      expect((await metadata.sums()).blobs).toBe(turn + 1);
      await metadata.close();
    }
  }
});

test("a clean close leaves one file, so that the next open need not doubt it", async () => {
  const path = await filledDatabase();
  expect(readdirSync(join(path, ".."))).toEqual(["granary.db"]);
});

test("what was recorded before SIGKILL is there afterwards", async () => {
  const path = await databasePath();
  const source = (name: string) => JSON.stringify(new URL(`../../src/${name}`, import.meta.url).href);
  const script = `
    const { openDatabase } = await import(${source("metadata/database.ts")});
    const { digestOf } = await import(${source("oci/digest.ts")});
    const metadata = openDatabase(process.argv[1]).metadata;
    for (let size = 0; ; size++) {
      await metadata.recordBlob({ digest: digestOf(Buffer.from("" + size)), size, usedAt: size });
      process.stdout.write(size + "\\n");
      await new Promise(setImmediate);
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, path]);
  let text = "";
  for await (const chunk of child.stdout) {
    text += chunk;
    if (text.split("\n").length > 200) break;
  }
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  expect(existsSync(`${path}-wal`)).toBe(true);
  const told = text.split("\n").length - 1;
  const found = await opened(path).blobsAfter("", 1_000_000);
  expect(found.length).toBeGreaterThanOrEqual(told);
  expect(found.map(({ size }) => size).sort((a, b) => a - b)).toEqual(found.map((_, index) => index));
});

describe("a file that somebody removed under us", () => {
  const digest = digestOf(Buffer.from("x"));

  test.each([
    ["with its log", (path: string) => rmSync(join(path, ".."), { recursive: true })],
    ["alone", (path: string) => rmSync(path)],
    ["in part: only its log", (path: string) => rmSync(`${path}-wal`)],
  ])("%s is written anew with all that is known, and locked as before", async (how, remove) => {
    const path = await databasePath();
    const metadata = opened(path);
    await metadata.recordBlob({ digest, size: 7, usedAt: 1 });
    expect(await metadata.putBack()).toBe(false);
    remove(path);
    await metadata.recordBlob({ digest, size: 8, usedAt: 2 });
    mkdirSync(join(path, ".."), { recursive: true });
    expect(await metadata.putBack()).toBe(!how.startsWith("in part"));
    expect(await metadata.putBack()).toBe(false);
    await metadata.recordManifest(
      { upstream: "u", repository: "r" },
      { digest, mediaType: "m", bytes: Buffer.from("{}") },
      [],
    );
    expect(await heldByOther(path)).toContain("in use by another process");
    // Without a close: as a kill would leave it.
    const copy = await databasePath();
    for (const end of ["", "-wal"])
      if (existsSync(`${path}${end}`)) copyFileSync(`${path}${end}`, `${copy}${end}`);
    const again = opened(copy);
    expect(await again.blob(digest)).toEqual({ digest, size: 8, usedAt: 2 });
    if (!how.startsWith("in part")) expect(await again.manifest(digest)).toBeDefined();
  });

  test("and replaced by another is left alone, with what to do", async () => {
    const path = await databasePath();
    const metadata = opened(path);
    rmSync(path);
    writeFileSync(path, "somebody's");
    await expect(metadata.putBack()).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringMatching(/Another file lies in the place .* restart granary/),
    });
    expect(readFileSync(path, "utf8")).toBe("somebody's");
    await metadata.recordBlob({ digest, size: 7, usedAt: 1 });
    rmSync(path);
    expect(await metadata.putBack()).toBe(true);
    expect((await metadata.sums()).blobs).toBe(1);
  });

  test("and whose name was taken while it was put back fails like a disk, and not as one that was closed", async () => {
    const path = await databasePath();
    const metadata = opened(path);
    await metadata.recordBlob({ digest, size: 7, usedAt: 1 });
    rmSync(path);
    // Where the new one's log belongs there is something that cannot be one.
    rmSync(`${path}-wal`);
    mkdirSync(join(`${path}-wal`, "in the way"), { recursive: true });
    await expect(metadata.putBack()).rejects.toThrow();
    await expect(metadata.putBack()).rejects.toThrow();
    const outcome = await metadata.recordBlob({ digest, size: 8, usedAt: 2 }).then(
      () => "written",
      (error: GranaryError) => error.code,
    );
    expect(["written", "store-damaged"]).toContain(outcome);
    rmSync(`${path}-wal`, { recursive: true });
    expect(await metadata.putBack()).toBe(true);
    expect((await metadata.sums()).blobs).toBe(1);
  });

  test("is not written anew where that cannot be, and is at the next try", async () => {
    const path = await databasePath();
    const metadata = opened(path);
    await metadata.recordBlob({ digest, size: 7, usedAt: 1 });
    rmSync(join(path, ".."), { recursive: true });
    await expect(metadata.putBack()).rejects.toMatchObject({ code: "config-invalid" });
    expect((await metadata.sums()).blobs).toBe(1);
    mkdirSync(join(path, ".."));
    expect(await metadata.putBack()).toBe(true);
    expect((await metadata.sums()).blobs).toBe(1);
  });
});

/** What another process is told that wants the file. */
async function heldByOther(path: string): Promise<string> {
  const source = JSON.stringify(new URL("../../src/metadata/database.ts", import.meta.url).href);
  const script = `
    const { openDatabase } = await import(${source});
    try { openDatabase(process.argv[1]).metadata; console.log("free"); } catch (error) { console.log(error.message); }
    process.exit();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, path]);
  let text = "";
  for await (const chunk of child.stdout) text += chunk;
  return text;
}

/** Noise in the place of `[start, end)`. */
function overwrite(path: string, start: number, end: number): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, start, end);
  writeFileSync(path, bytes);
}

describe("lists", () => {
  test("of the pages of one repository's tags the last few dozen are kept, and the whole list", async () => {
    const metadata = opened(await databasePath());
    const page = {
      upstream: "a",
      repository: "b",
      kind: "tags",
      isPacked: false,
      detail: undefined,
      body: Buffer.from("x"),
    } as const;
    await metadata.recordList({ ...page, name: "", checkedAt: 0 });
    await metadata.recordList({ ...page, repository: "c", name: "n=0", checkedAt: 0 });
    for (let n = 1; n <= 50; n++) await metadata.recordList({ ...page, name: `n=${n}`, checkedAt: n });
    const kept = [];
    for (let n = 1; n <= 50; n++) if (await metadata.list({ ...page, name: `n=${n}` })) kept.push(n);
    expect(kept).toEqual(Array.from({ length: 32 }, (_, index) => index + 19));
    expect(await metadata.list({ ...page, name: "" })).toBeDefined();
    expect(await metadata.list({ ...page, repository: "c", name: "n=0" })).toBeDefined();
  });
});
