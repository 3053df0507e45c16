/** Owns the proof of the storage directory's paths, version and lock. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, onTestFinished, test } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { layoutOf } from "../../src/store/layout.ts";
import { formatOwner, parseOwner } from "../../src/store/partial-owner.ts";
import { prepareLayout } from "../../src/store/storage-directory.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { owned } from "../support/temp-store.ts";

const NOBODY = 65534;

describe("the layout", () => {
  test("makes every path from the digest, and of partials from their upstream's name", () => {
    const layout = layoutOf("/data");
    const digest = digestOf(Buffer.from("x"), "sha512");
    const hex = digest.slice("sha512:".length);
    expect(layout.blob(digest)).toBe(`/data/blobs/sha512/${hex.slice(0, 2)}/${hex}`);
    expect(layout.partial(owned(digest))).toEqual({
      data: `/data/partial/sha512/fake.test@${hex}`,
      map: `/data/partial/sha512/fake.test@${hex}.map`,
    });
    expect(layout.partial({ digest, upstream: undefined }).data).toBe(`/data/partial/sha512/${hex}`);
    expect(layout.database).toBe("/data/granary.db");
  });

  test.each([
    ["docker.io", "docker.io"],
    ["registry.lab:5000", "registry.lab%3A5000"],
    ["../../etc", "%2E.%2F..%2Fetc"],
    ["Lab", "%4Cab"],
    ["a@b.map", "a%40b.map"],
    ["ünïcode", "%C3%BCn%C3%AFcode"],
  ])("writes the upstream %j into file names as %s, and reads it there", (upstream, owner) => {
    expect(formatOwner(upstream)).toBe(owner);
    expect(parseOwner(owner)).toBe(upstream);
  });

  test("shortens the name of an upstream that is too long for a file name, and tells two such apart", () => {
    const [one = "", other = ""] = ["1", "2"].map((end) => formatOwner(`${"long.".repeat(60)}${end}`));
    expect(one).toMatch(/^~[0-9a-f]{40}$/);
    expect(one).not.toBe(other);
    expect(formatOwner(parseOwner(one) ?? "")).toBe(one);
    for (const text of ["", "a/b", "A", "%zz", "~short"]) expect(parseOwner(text)).toBeUndefined();
  });

  test("is created where nothing is, and found again", async () => {
    const directory = join(await tempDirectory(), "deep", "er");
    for (let turn = 0; turn < 2; turn++) {
      const layout = await prepareLayout(directory);
      expect(readdirSync(directory).sort()).toEqual(["blobs", "layout.json", "lock.db", "partial"]);
      await layout.release();
      await layout.release();
    }
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

  test.each(["", "granary.db", "blobs", "partial/sha256"])(
    "refuses another user's directory, and names the owner and what to do: %j",
    async (part) => {
      const directory = await tempDirectory();
      await (await prepareLayout(directory)).release();
      writeFileSync(join(directory, "granary.db"), "");
      const isRoot = process.getuid?.() === 0;
      if (isRoot) allowToNobody(directory);
      const path = join(directory, part).replace(/\/$/, "");
      chmodSync(path, 0o555);
      if (isRoot) chownSync(path, 0, 0);
      const refused = await foundByNobody(directory);
      expect(refused).toContain(`The storage directory ${directory} cannot be used: EACCES`);
      expect(refused).toContain(isRoot ? `${path} belongs to user 0 and granary runs as` : `Make ${path}`);
      if (!isRoot) return;
      expect(refused).toContain(`"chown -R 65534:65534 ${directory}"`);
      expect(refused).toContain('"user:" in a compose file');
    },
  );

  test("refuses a symbolic link where a directory of its own belongs (82)", async () => {
    const directory = await tempDirectory();
    const outside = await tempDirectory();
    mkdirSync(join(directory, "blobs"));
    symlinkSync(outside, join(directory, "blobs", "sha256"));
    await expect(prepareLayout(directory)).rejects.toMatchObject({
      code: "store-damaged",
      message: expect.stringContaining("blobs/sha256"),
    });
    rmSync(join(directory, "blobs", "sha256"));
    await (await prepareLayout(directory)).release();
  });
});

describe("the lock of a working directory", () => {
  test("keeps a second user out, under any of its names, and says what to do", async () => {
    const directory = await tempDirectory();
    const link = `${directory}-link`;
    symlinkSync(directory, link);
    const layout = await prepareLayout(directory);
    for (const name of [directory, link]) {
      await expect(prepareLayout(name)).rejects.toMatchObject({
        code: "config-invalid",
        message: expect.stringMatching(/is in use by another process: wait for that one or stop it/),
      });
    }
    await layout.release();
    const again = await prepareLayout(link);
    await again.release();
  });

  test("holds against another process, and is free as soon as that one is dead, though nobody has reaped it", async () => {
    const directory = await tempDirectory();
    const other = await unreapedHolder(directory);
    await expect(prepareLayout(directory)).rejects.toMatchObject({ code: "config-invalid" });
    process.kill(other.pid, "SIGKILL");
    const layout = await prepareLayout(directory);
    if (existsSync("/proc/self/stat")) {
      await expect.poll(() => readFileSync(`/proc/${other.pid}/stat`, "utf8")).toMatch(/\) Z /);
    }
    await layout.release();
  });

  test("is no file that names a process: what an older Granary left is removed by who holds the directory", async () => {
    const directory = await tempDirectory();
    const lives = JSON.stringify({ pid: process.pid, startedAt: "", token: "t" });
    for (const name of ["granary.lock", "granary.lock.17", "granary.lock.17.stale", "granary.lockers"]) {
      writeFileSync(join(directory, name), lives);
    }
    const layout = await prepareLayout(directory);
    expect(readdirSync(directory).filter((name) => name.startsWith("granary"))).toEqual(["granary.lockers"]);
    await layout.release();
  });

  test("a link in the place of its file is refused, and nothing is made behind it", async () => {
    const directory = await tempDirectory();
    const outside = join(await tempDirectory(), "elsewhere");
    symlinkSync(outside, join(directory, "lock.db"));
    await expect(prepareLayout(directory)).rejects.toMatchObject({ code: "config-invalid" });
    expect(existsSync(outside)).toBe(false);
  });
});

/** A process that holds `directory`, whose parent never asks for its end: once killed it stays as a zombie. */
async function unreapedHolder(directory: string): Promise<{ readonly pid: number }> {
  const source = JSON.stringify(new URL("../../src/store/storage-directory.ts", import.meta.url).href);
  const script = `
    const { prepareLayout } = await import(${source});
    await prepareLayout(process.argv[1]);
    console.log(process.pid);
    setInterval(() => {}, 1000);`;
  // The shell becomes a sleep, which knows nothing of the child that it has.
  const command = '"$0" --input-type=module -e "$1" "$2" & exec sleep 600';
  const parent = spawn("sh", ["-c", command, process.execPath, script, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void parent.kill("SIGKILL"));
  const [line] = await once(createInterface(parent.stdout), "line");
  return { pid: Number(line) };
}

function allowToNobody(directory: string): void {
  chownSync(directory, NOBODY, NOBODY);
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" }))
    chownSync(join(directory, name), NOBODY, NOBODY);
}

/** What findLayout says to a process without rights: root gives its own up once everything is loaded. */
async function foundByNobody(directory: string): Promise<string> {
  const source = JSON.stringify(new URL("../../src/store/storage-directory.ts", import.meta.url).href);
  const script = `
    const { findLayout } = await import(${source});
    if (process.getuid() === 0) { process.setgid(${NOBODY}); process.setuid(${NOBODY}); }
    console.log(await findLayout(process.argv[1]).then(() => "found", (error) => error.message));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, directory]);
  let text = "";
  for await (const chunk of child.stdout) text += chunk;
  return text;
}
