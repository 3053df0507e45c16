/** Owns the tests of images made from tars; real tools read such an image in test/e2e/archives.test.ts. */
import { execFileSync } from "node:child_process";
import { mkdir, open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type CreateOptions, writeImage } from "../../../src/client/archives/create-image.ts";
import { openArchive } from "../../../src/client/archives/open-archive.ts";
import { readSmallBlob } from "../../../src/client/fetching/read-blob.ts";
import { imageFrom } from "../../../src/client/images/image.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { parsePlatform } from "../../../src/oci/platform.ts";
import { formatReference } from "../../../src/oci/reference.ts";
import { PROMPT_MS } from "../../support/patience.ts";
import { patternBytes } from "../../support/pattern.ts";
import { tempDirectory } from "../../support/temp-directory.ts";
import { tarOf } from "./make-archive.ts";

/** Content that needs several chunks, and is no multiple of a block. */
const SIZE = 2_500_001;

async function prepare() {
  const directory = await tempDirectory();
  const tars = await Promise.all(
    [1, 2].map((seed) => tarOf([{ name: `file-${seed}`, content: patternBytes(seed, 0, SIZE) }])),
  );
  const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = tars;
  const write = async (name: string, bytes: Uint8Array | string) => {
    await writeFile(join(directory, name), bytes);
    return join(directory, name);
  };
  const output = join(directory, "image.tar");
  const create = (inputs: readonly string[], options: Partial<CreateOptions> = {}) =>
    writeImage(inputs, { name: "app:v1", platform: "linux/amd64", output, ...options });
  return { directory, first, second, write, output, create };
}

/** The documents in a tar by their names, as tar(1) reads them. */
function documentIn(tar: string, name: string): unknown {
  return JSON.parse(execFileSync("tar", ["-xOf", tar, name], { encoding: "utf8" }));
}

describe("an image made from tars", () => {
  it("has their bytes as layers, its platform and its tag, and reloads", async () => {
    const { first, second, write, output, create } = await prepare();
    const inputs = [await write("1.tar", first), await write("2.tar", second)];
    const made = await create(inputs, { name: "ghcr.io/org/app:v1", platform: "linux/arm/v7" });
    const { source, reference } = await openArchive(output);
    const image = await imageFrom(source, reference, { platform: parsePlatform("linux/arm/v7") });
    expect(formatReference(reference)).toBe(`ghcr.io/org/app:v1@${made.digest}`);
    expect(image.config.platform).toEqual({ os: "linux", architecture: "arm", variant: "v7" });
    expect(image.config.diffIds).toEqual([digestOf(first), digestOf(second)]);
    expect(image.config.document.history).toHaveLength(2);
    expect(image.view.layers).toEqual(made.layers);
    for (const [index, tar] of [first, second].entries()) {
      const layer = image.view.layers[index] ?? { digest: made.digest, size: 0 };
      expect(tar.equals(await readSmallBlob(source, reference, layer, 2 * SIZE))).toBe(true);
    }
    expect(digestOf(image.configBytes)).toBe(made.id);
    expect((await stat(output)).size).toBe(made.size);
    await source.close();
  });

  it("says the same in manifest.json, and that reloads without the OCI layout", async () => {
    const { directory, first, write, output, create } = await prepare();
    const { id, layers } = await create([await write("1.tar", first)]);
    const blob = (digest = "") => `blobs/sha256/${digest.slice(7)}`;
    expect(documentIn(output, "manifest.json")).toEqual([
      { Config: blob(id), RepoTags: ["app:v1"], Layers: [blob(layers[0]?.digest)] },
    ]);
    const [unpacked, saved] = [join(directory, "unpacked"), join(directory, "saved.tar")];
    await mkdir(unpacked);
    execFileSync("tar", ["-xf", output, "-C", unpacked]);
    execFileSync("tar", ["-cf", saved, "-C", unpacked, "manifest.json", "blobs"]);
    const { source, reference } = await openArchive(saved);
    const image = await imageFrom(source, reference, { platform: parsePlatform("linux/amd64") });
    expect(formatReference(reference)).toMatch(/^docker\.io\/library\/app:v1@/);
    expect(image.config.diffIds).toEqual([digestOf(first)]);
    await source.close();
  });

  it("takes packed tars and stores a layer once that is there twice", async () => {
    const { first, write, create, output } = await prepare();
    const plain = await write("1.tar", first);
    const inputs = [
      plain,
      await write("1.tgz", gzipSync(first)),
      await write("1.zst", zstdCompressSync(first)),
    ];
    const { layers, size } = await create(inputs);
    expect(layers.map(({ digest }) => digest)).toEqual(inputs.map(() => digestOf(first)));
    expect(size).toBeLessThan(first.length + 10_000);
    // tar(1) reads it to the end: nothing of the dropped copies is left between the entries.
    expect(execFileSync("tar", ["-tf", output], { encoding: "utf8" }).trim().split("\n")).toHaveLength(6);
  });

  it("is the same file whenever it is made, unless a time is given", async () => {
    const { directory, first, write, create } = await prepare();
    const input = await write("1.tar", first);
    const [one, two, dated] = ["one", "two", "dated"].map((name) => join(directory, name));
    await create([input], { output: one ?? "" });
    await create([input], { output: two ?? "" });
    expect((await readFile(one ?? "")).equals(await readFile(two ?? ""))).toBe(true);
    const { id } = await create([input], { output: dated ?? "", created: new Date("2024-05-06T07:08:09Z") });
    expect(documentIn(dated ?? "", `blobs/sha256/${id.slice(7)}`)).toMatchObject({
      created: "2024-05-06T07:08:09Z",
      history: [{ created: "2024-05-06T07:08:09Z" }],
    });
  });

  it("can be made from a pipe, and over one of its own inputs", async () => {
    const { directory, first, write, create } = await prepare();
    const pipe = join(directory, "pipe");
    execFileSync("mkfifo", [pipe]);
    const making = create([pipe]);
    await writeFile(pipe, first);
    expect((await making).layers[0]?.digest).toBe(digestOf(first));
    const input = await write("1.tar", first);
    expect((await create([input], { output: input })).layers[0]?.digest).toBe(digestOf(first));
  });
});

describe("an image is refused", () => {
  it.each(["linux", "linux/", "linux/amd64/v1/x", ""])(
    "for the platform %j, before anything is read",
    async (platform) => {
      const { create, directory } = await prepare();
      await expect(create(["/nowhere.tar"], { platform })).rejects.toMatchObject({
        code: "reference-invalid",
      });
      expect(await readdir(directory)).toEqual([]);
    },
  );

  it.each([["UPPER"], [""], [`app@sha256:${"a".repeat(64)}`]])("for the name %j", async (name) => {
    const { create } = await prepare();
    await expect(create(["/nowhere.tar"], { name })).rejects.toMatchObject({ code: "reference-invalid" });
  });

  it.each([
    ["text", Buffer.from("hello\n".repeat(1000))],
    ["a short text", Buffer.from("hello")],
    ["nothing", Buffer.alloc(0)],
    ["packed text", gzipSync("hello\n".repeat(1000))],
  ])("for an input that is no tar: %s", async (_, bytes) => {
    const { directory, write, create } = await prepare();
    const input = await write("input", bytes);
    await expect(create([input])).rejects.toMatchObject({
      code: "path-invalid",
      message: expect.stringMatching(/not a whole tar archive .* Pack the files with/),
    });
    expect(await readdir(directory)).toEqual(["input"]);
  });

  it("for an input that is cut short, leaving what was there before", async () => {
    const { directory, first, write, output, create } = await prepare();
    await writeFile(output, "from before");
    const whole = await write("whole.tar", first);
    for (const bytes of [first.subarray(0, SIZE), gzipSync(first).subarray(0, 5000)]) {
      const cut = await write("cut.tar", bytes);
      await expect(create([whole, cut])).rejects.toMatchObject({
        code: expect.stringMatching(/path-invalid|manifest-invalid/),
      });
      expect(await readFile(output, "utf8")).toBe("from before");
    }
    expect((await readdir(directory)).sort()).toEqual(["cut.tar", "image.tar", "whole.tar"]);
  });

  it("for inputs and outputs that cannot be, with what to do", async () => {
    const { directory, first, write, create } = await prepare();
    const input = await write("1.tar", first);
    const cases = [
      [["/nowhere.tar"], {}, /does not exist/],
      [[directory], {}, /is a directory: pack it/],
      [[input], { output: directory }, /it is a directory: give the name of a file/],
      [[input], { output: "/nowhere/x.tar" }, /its directory does not exist/],
      [[input], { output: `${input}/x.tar` }, /its directory does not exist/],
    ] as const;
    for (const [inputs, options, message] of cases) {
      await expect(create(inputs, options)).rejects.toMatchObject({
        code: "path-invalid",
        message: expect.stringMatching(message),
      });
    }
    await expect(create([])).rejects.toMatchObject({ code: "config-invalid" });
    await expect(create([input], { created: new Date("never") })).rejects.toMatchObject({
      code: "config-invalid",
    });
  });

  it.each([
    ["silent", true],
    ["not even opened by its writer", false],
  ])("when the caller gives up while a pipe is %s; nothing is left", async (_, isOpened) => {
    const { directory, create } = await prepare();
    const pipe = join(directory, "pipe");
    execFileSync("mkfifo", [pipe]);
    const leaving = new AbortController();
    const making = create([pipe], { signal: leaving.signal });
    making.catch(() => undefined);
    const feeding = isOpened ? await open(pipe, "w") : undefined;
    await feeding?.write(Buffer.alloc(1000));
    const before = performance.now();
    leaving.abort();
    await expect(making).rejects.toMatchObject({ code: "aborted" });
    expect(performance.now() - before).toBeLessThan(PROMPT_MS);
    // The other end comes and goes, so that no thread waits for it any longer.
    await (feeding ?? (await open(pipe, "r+"))).close();
    expect(await readdir(directory)).toEqual(["pipe"]);
  });
});
