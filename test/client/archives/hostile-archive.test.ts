/**
 * Owns the tests of archives that nobody honest writes: whatever is in them, the answer is a GranaryError or the right bytes,
 * and no file outside the archive is read.
 */
import { execFileSync } from "node:child_process";
import { rename, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openArchive } from "../../../src/client/archives/open-archive.ts";
import { readSmallBlob } from "../../../src/client/fetching/read-blob.ts";
import { imageFrom } from "../../../src/client/images/image.ts";
import { type GranaryError, isGranaryError } from "../../../src/errors.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { tempDirectory } from "../../support/temp-directory.ts";
import {
  configName,
  type Entry,
  json,
  layoutEntries,
  makeImage,
  manifestEntry,
  saveEntries,
  tarOf,
  writeFolder,
  writeTar,
} from "./make-archive.ts";

const AMD64 = { os: "linux", architecture: "amd64" };

/** All bytes of all layers of the only image. */
async function readAll(path: string): Promise<Buffer[]> {
  const { source, reference } = await openArchive(path);
  try {
    const image = await imageFrom(source, reference, { platform: AMD64 });
    const reads = image.view.layers.map((layer) => readSmallBlob(source, reference, layer, 1_000_000));
    return (await Promise.all(reads)).map((bytes) => Buffer.from(bytes));
  } finally {
    await source.close();
  }
}

async function refusal(entries: readonly Entry[]): Promise<GranaryError> {
  return await refusalOf(await writeTar(await tempDirectory(), entries));
}

async function refusalOf(path: string): Promise<GranaryError> {
  try {
    await readAll(path);
  } catch (error) {
    if (isGranaryError(error)) return error;
    throw error;
  }
  throw new Error("the archive was read");
}

async function saved(replace: (entry: Entry) => Entry | undefined, more: readonly Entry[] = []) {
  const made = await makeImage(["none"]);
  const kept = saveEntries([[["app:v1"], made]])
    .map(replace)
    .filter((entry) => entry !== undefined);
  return [...kept, ...more];
}

const without = (name: string) => (entry: Entry) => (entry.name === name ? undefined : entry);

describe("a file that is no archive of images", () => {
  it.each([
    ["text", "path-invalid", Buffer.from("hello\n".repeat(1000))],
    ["xz", "path-invalid", Buffer.concat([Buffer.from("fd377a585a00", "hex"), Buffer.alloc(1000, 7)])],
    ["nothing", "path-invalid", Buffer.alloc(0)],
    ["packed text", "path-invalid", gzipSync("hello\n".repeat(1000))],
    ["a packed file that is cut", "manifest-invalid", gzipSync(Buffer.alloc(100_000)).subarray(0, 60)],
  ])("is refused: %s", async (_, code, bytes) => {
    const path = join(await tempDirectory(), "x");
    await writeFile(path, bytes);
    expect(await refusalOf(path)).toMatchObject({ code });
  });

  it("is refused with what was looked for: a tar of something else, a device, an absent file", async () => {
    const other = await refusal([{ name: "readme", content: "x" }]);
    expect(other.message).toMatch(/neither index\.json \(OCI\) nor manifest\.json \(docker save\)/);
    const ancient = await refusal([{ name: "repositories", content: "{}" }]);
    expect(ancient.message).toMatch(/older than 1\.10/);
    expect((await refusalOf("/dev/zero")).message).toMatch(/not a plain file/);
    expect(await refusalOf("/nowhere/x.tar")).toMatchObject({ code: "path-invalid" });
    expect((await refusalOf("/nowhere/a#b")).message).toMatch(/closed with another "#"/);
  });

  it("is refused when it is an empty folder", async () => {
    expect(await refusalOf(await tempDirectory())).toMatchObject({ code: "path-invalid" });
  });
});

describe("a name that leads out of the archive", () => {
  it.each(["/etc/passwd", "../../../../../../etc/passwd", "x/../../etc/passwd"])(
    "is only a key, as config: %s",
    async (Config) => {
      const list = json([{ Config, RepoTags: ["app:v1"], Layers: [] }]);
      expect(await refusal([{ name: "manifest.json", content: list }])).toMatchObject({ code: "not-found" });
    },
  );

  it.each(["/etc/passwd", "../../../../../../etc/passwd", "../0-0/layer.tar", "loop"])(
    "leads nowhere as a link: %s",
    async (linkname) => {
      const loop: Entry[] = [
        { name: "0-0/layer.tar", type: "symlink", linkname },
        { name: "0-0/loop", type: "symlink", linkname: "../0-0/loop" },
      ];
      const error = await refusal(await saved(without("0-0/layer.tar"), loop));
      expect(error).toMatchObject({
        code: "not-found",
        message: expect.stringMatching(/lacks 0-0\/layer\.tar/),
      });
    },
  );

  it("does no harm as an entry that nobody asks for", async () => {
    const made = await makeImage(["none"]);
    const names = ["../../outside", "/etc/granary-was-here", "..", "__proto__", "constructor", "a/../../b"];
    const entries = [...names.map((name) => ({ name, content: "x" })), ...saveEntries([[["app:v1"], made]])];
    expect(await readAll(await writeTar(await tempDirectory(), entries))).toEqual(made.layers);
  });

  it("cannot be made from a digest", async () => {
    for (const digest of ["sha256:../../../../etc/passwd", "sha256:", "../x", 7, null]) {
      const manifest = { ...manifestEntry(await makeImage(["none"])), digest };
      expect(await refusal(layoutEntries([], [manifest]))).toMatchObject({ code: "manifest-invalid" });
    }
  });
});

describe("a folder", () => {
  it("with a link, a pipe or a folder in the place of a file is refused", async () => {
    const made = await makeImage(["none"]);
    const entries = layoutEntries([made], [manifestEntry(made)]);
    const manifest = `blobs/sha256/${digestOf(made.manifest).slice(7)}`;
    for (const name of ["index.json", manifest]) {
      const folder = await writeFolder(await tempDirectory(), entries);
      const path = join(folder, name);
      await rename(path, `${path}.real`);
      await symlink(`${path}.real`, path);
      expect(await refusalOf(folder)).toMatchObject({ code: "path-invalid" });
      await rename(`${path}.real`, path);
      expect(await readAll(folder)).toEqual(made.layers);
      await rename(path, `${path}.real`);
      execFileSync("mkfifo", [path]);
      expect((await refusalOf(folder)).message).toMatch(/not a plain file/);
    }
  });

  it("is never searched for what manifest.json names", async () => {
    const directory = await tempDirectory();
    await writeFile(join(directory, "config"), '{"os":"linux","architecture":"amd64"}');
    for (const Config of ["../config", "config", `${directory}/config`]) {
      const list = json([{ Config, RepoTags: [], Layers: [] }]);
      const entries = [
        { name: "manifest.json", content: list },
        { name: "config", content: "{}" },
      ];
      const folder = await writeFolder(join(directory, "layout"), entries);
      expect(await refusalOf(folder)).toMatchObject({
        code: "path-invalid",
        message: expect.stringMatching(/neither index\.json/),
      });
    }
  });
});

describe("a damaged archive", () => {
  it("that lacks a blob says which one", async () => {
    const made = await makeImage(["none", "gzip"]);
    for (const missing of [made.manifest, made.config, made.layers[1] ?? made.config]) {
      const entries = layoutEntries([made], [manifestEntry(made)]);
      const error = await refusal(entries.filter(({ content }) => content !== missing));
      expect(error).toMatchObject({ code: "not-found" });
      expect(error.message).toContain(digestOf(missing));
    }
    expect(await refusal(await saved(without("0-0/layer.tar")))).toMatchObject({ code: "not-found" });
  });

  it("with other bytes than its digests say is a digest-mismatch", async () => {
    const made = await makeImage(["none"]);
    const [layer = made.config] = made.layers;
    const spoilt = Buffer.from(layer);
    spoilt[600] = (spoilt[600] ?? 0) ^ 1;
    const put = (entry: Entry) => (entry.content === layer ? { ...entry, content: spoilt } : entry);
    const inLayout = layoutEntries([made], [manifestEntry(made)]).map(put);
    expect(await refusal(inLayout)).toMatchObject({ code: "digest-mismatch" });
    const inSave = saveEntries([[["app:v1"], made]]).map(put);
    expect(await refusal(inSave)).toMatchObject({ code: "digest-mismatch" });
    const otherManifest = layoutEntries([made], [manifestEntry(made)]).map((entry) =>
      entry.content === made.manifest ? { ...entry, content: `${made.manifest} ` } : entry,
    );
    expect(await refusal(otherManifest)).toMatchObject({ code: "digest-mismatch" });
  });

  it("that calls an image by another's ID is a digest-mismatch for who asks by it", async () => {
    const made = await makeImage(["none"]);
    const spoilt = { ...made, config: Buffer.from(`${made.config} `) };
    const entries = saveEntries([[["app:v1"], made]]).map((entry) =>
      entry.content === made.config ? { ...entry, content: spoilt.config } : entry,
    );
    const opening = openArchive(await writeTar(await tempDirectory(), entries), {
      name: digestOf(made.config),
    });
    await expect(opening).rejects.toMatchObject({ code: "digest-mismatch" });
  });

  it("that is cut short is refused wherever the cut is", async () => {
    const made = await makeImage(["none"]);
    const entries = saveEntries([[["app:v1"], made]]);
    const { length } = await tarOf(entries);
    // The last KiB only says that nothing follows.
    for (let size = 0; size < length - 1536; size += 700) {
      const path = await writeTar(await tempDirectory(), entries);
      await truncate(path, size);
      expect(["path-invalid", "manifest-invalid", "not-found"]).toContain((await refusalOf(path)).code);
    }
  });

  it("with documents that are none, or do not fit together, is refused", async () => {
    const made = await makeImage(["none"]);
    const list = (fields: object) => [{ name: "manifest.json", content: json([fields]) }];
    const cases: (readonly Entry[])[] = [
      [{ name: "index.json", content: "{" }],
      [{ name: "index.json", content: "[]" }],
      [{ name: "index.json", content: '{"manifests":[]}' }],
      [{ name: "manifest.json", content: "[]" }],
      [{ name: "manifest.json", content: '{"a":1}' }],
      list({ Config: 1, Layers: [] }),
      list({ Config: "x" }),
      list({ Config: "x", Layers: [1] }),
      [...list({ Config: "x", Layers: [] }), { name: "x", content: "no JSON" }],
      [...list({ Config: configName(made), Layers: [] }), { name: configName(made), content: made.config }],
    ];
    for (const entries of cases) {
      expect(await refusal(entries)).toMatchObject({ code: "manifest-invalid" });
    }
  });

  it("with documents too large to be read into memory is refused", async () => {
    const large = Buffer.alloc(17 * 1024 * 1024, " ");
    for (const name of ["index.json", "manifest.json"]) {
      const error = await refusal([{ name, content: large }]);
      expect(error).toMatchObject({ code: "manifest-invalid", facts: { found: large.length } });
    }
    const made = { ...(await makeImage(["none"])), manifest: large };
    expect(await refusal(layoutEntries([made], [manifestEntry(made)]))).toMatchObject({
      code: "manifest-invalid",
    });
  });

  it("of any other kind gives the right bytes or a GranaryError", async () => {
    // Of packed layers a docker save has no digest; diff IDs, which extraction checks, are of what is in them.
    const made = await makeImage(["none", "none"]);
    const directory = await tempDirectory();
    const tars = [
      await tarOf(layoutEntries([made], [manifestEntry(made)])),
      await tarOf(saveEntries([[["app:v1"], made]])),
    ];
    const spoiling = fc.record({
      which: fc.nat(1),
      changes: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(spoiling, async ({ which, changes }) => {
        const bytes = Buffer.from(tars[which] ?? "");
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const path = join(directory, "spoilt.tar");
        await writeFile(path, bytes);
        const found = await readAll(path).catch((error: unknown) => error);
        if (!isGranaryError(found)) expect(found).toEqual(made.layers);
      }),
      { numRuns: 150 },
    );
  });
});
