/** Artifacts: all of it lands, or nothing does. */
import { lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fetchArtifactFrom } from "../../../src/client/artifacts/fetch-artifact.ts";
import type { Progress } from "../../../src/client/fetching/progress.ts";
import { unsafetyOf } from "../../../src/files/safe-relative-path.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import { formatReference, parseReference } from "../../../src/oci/reference.ts";
import type { FakeRegistry } from "../../support/fake-registry.ts";
import { sourceOf } from "../../support/source-of.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

const REFERENCE = parseReference("registry.test/team/notes:1");
const REPOSITORY = "team/notes";
const TITLE = "org.opencontainers.image.title";
const FILE_PATH = "org.cncf.model.filepath";
const TYPE = "application/vnd.example.notes.v1";

type Layer = {
  readonly title?: string;
  readonly content?: string | Buffer;
  readonly size?: unknown;
  readonly annotations?: Record<string, string>;
};
type Extra = { readonly tag?: string; readonly configType?: string; readonly artifactType?: string };

function addArtifact(fake: FakeRegistry, layers: readonly Layer[], extra: Extra = {}) {
  const { tag = "1", configType = "application/vnd.oci.empty.v1+json", artifactType = TYPE } = extra;
  const config = { mediaType: configType, digest: fake.addBlob(Buffer.from("{}"), REPOSITORY), size: 2 };
  const described = layers.map(({ title, content = "text", size, annotations }) => {
    const bytes = Buffer.from(content);
    return {
      mediaType: "application/octet-stream",
      digest: fake.addBlob(bytes, REPOSITORY),
      size: size ?? bytes.length,
      annotations: { ...(title !== undefined && { [TITLE]: title }), ...annotations },
    };
  });
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType, config, layers: described };
  const bytes = Buffer.from(JSON.stringify(manifest));
  return { digest: fake.addManifest(REPOSITORY, tag, bytes, OCI_MANIFEST), size: bytes.length, described };
}

function addIndex(fake: FakeRegistry, manifests: readonly object[]) {
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
  return fake.addManifest(REPOSITORY, "1", Buffer.from(JSON.stringify(index)), OCI_INDEX);
}

async function world() {
  const fake = await startFake({ mode: "plain" });
  const above = await tempDirectory();
  return { fake, source: sourceOf(fake), above, directory: join(above, "notes") };
}

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

describe("an artifact's pull", () => {
  test("lays its files out by title, for their owner alone, and tells the digest", async () => {
    const { fake, source, above, directory } = await world();
    const { digest } = addArtifact(fake, [
      { title: "readme.md", content: "hello" },
      { title: "deep/er/weights.bin", content: Buffer.alloc(5 * 2 ** 20, 7) },
      { title: "empty", content: "" },
    ]);
    const pulled = await fetchArtifactFrom(source, REFERENCE, directory);
    expect(pulled.digest).toBe(digest);
    expect(pulled.artifactType).toBe(TYPE);
    expect(pulled.files.map(({ path, size }) => [path, size])).toEqual([
      ["readme.md", 5],
      ["deep/er/weights.bin", 5 * 2 ** 20],
      ["empty", 0],
    ]);
    expect(await readFile(join(directory, "readme.md"), "utf8")).toBe("hello");
    expect((await stat(join(directory, "deep/er/weights.bin"))).size).toBe(5 * 2 ** 20);
    expect(await modeOf(join(directory, "readme.md"))).toBe("600");
    expect([await modeOf(directory), await modeOf(join(directory, "deep/er"))]).toEqual(["750", "750"]);
    expect(await readdir(above)).toEqual(["notes"]);
  });

  test("brings equal files once, and has one progress to the end", async () => {
    const { fake, source, directory } = await world();
    const same = Buffer.alloc(100_000, 1);
    const { described } = addArtifact(fake, [
      { title: "a", content: same },
      { title: "b/a", content: same },
      { title: "c", content: "text" },
    ]);
    const seen: Progress[] = [];
    const onProgress = (at: Progress) => seen.push(at);
    const pulled = await fetchArtifactFrom(source, REFERENCE, directory, { onProgress });
    expect(fake.count({ kind: "blob", reference: described[0]?.digest ?? "", method: "GET" })).toBe(1);
    expect((await readFile(join(directory, "b/a"))).equals(same)).toBe(true);
    expect(await modeOf(join(directory, "b/a"))).toBe("600");
    expect(pulled.fetched).toBe(100_004);
    expect(seen.at(-1)).toEqual({ phase: "fetch", done: 100_004, total: 100_004 });
  });

  test("keeps the archive of a directory as it is, and says which it is", async () => {
    const { fake, source, directory } = await world();
    const annotations = { "io.deis.oras.content.unpack": "true" };
    addArtifact(fake, [{ title: "site", content: "a tar", annotations }, { title: "plain" }]);
    const { files } = await fetchArtifactFrom(source, REFERENCE, directory);
    expect(files.map(({ path, isArchive }) => [path, isArchive])).toEqual([
      ["site", true],
      ["plain", false],
    ]);
    expect(await readFile(join(directory, "site"), "utf8")).toBe("a tar");
  });

  test("pins the tag to a digest that gives the same again when the tag has moved", async () => {
    const { fake, source, above, directory } = await world();
    const { digest } = addArtifact(fake, [{ title: "a", content: "first" }]);
    const { pinned } = await fetchArtifactFrom(source, REFERENCE, directory);
    expect(formatReference(pinned)).toBe(`registry.test/${REPOSITORY}@${digest}`);
    addArtifact(fake, [{ title: "a", content: "second" }]);
    const again = await fetchArtifactFrom(source, pinned, join(above, "again"));
    expect(again.digest).toBe(digest);
    expect(await readFile(join(above, "again/a"), "utf8")).toBe("first");
  });

  test("takes ModelPack's own paths before titles", async () => {
    const { fake, source, directory } = await world();
    const annotations = { [FILE_PATH]: "weights/model.gguf" };
    addArtifact(fake, [{ title: "other", annotations }], {
      artifactType: "application/vnd.cncf.model.manifest.v1+json",
    });
    const pulled = await fetchArtifactFrom(source, REFERENCE, directory);
    expect(pulled.isModelPack).toBe(true);
    expect(await readdir(join(directory, "weights"))).toEqual(["model.gguf"]);
  });
});

describe("an artifact is refused before anything is fetched or written", () => {
  test.each<[string, Layer[], RegExp]>([
    ["an empty title", [{ title: "" }], /is empty/],
    ["an absolute title", [{ title: "/etc/passwd" }], /absolute/],
    ["a title with a drive", [{ title: "C:/x" }], /absolute/],
    ["a title that leads out", [{ title: "a/../../b" }], /leads out/],
    ["a backslash in a title", [{ title: "a\\b" }], /backslash/],
    ["a NUL in a title", [{ title: "a\u0000b" }], /NUL/],
    ["a negative size", [{ title: "b", size: -1 }], /has no size/],
    ["no title", [{}], /image\.title/],
    ["a title twice", [{ title: "a" }, { title: "A" }], /twice/],
    ["a file where a directory is needed", [{ title: "a/b" }, { title: "a" }], /a file and a directory/],
    ["a title of dots", [{ title: "./a" }], /empty segment/],
    ["more than 512 MiB", [{ title: "a", size: 512 * 2 ** 20 + 1 }], /512 ?MiB/],
    ["more than 1024 layers", Array.from({ length: 1024 }, (_, n) => ({ title: `${n}` })), /1025 layers/],
  ])("when it has %s", async (_, layers, message) => {
    const { fake, source, above, directory } = await world();
    addArtifact(fake, [{ title: "good" }, ...layers]);
    const pulled = fetchArtifactFrom(source, REFERENCE, directory);
    await expect(pulled).rejects.toMatchObject({
      code: "manifest-invalid",
      message: expect.stringMatching(message),
    });
    expect(await readdir(above)).toEqual([]);
    expect(fake.count({ kind: "blob" })).toBe(0);
  });

  test("when it is of another type than was asked for", async () => {
    const { fake, source, above, directory } = await world();
    addArtifact(fake, [{ title: "a" }]);
    const pulled = fetchArtifactFrom(source, REFERENCE, directory, { artifactType: "application/vnd.other" });
    await expect(pulled).rejects.toMatchObject({
      code: "manifest-invalid",
      message: expect.stringMatching(/vnd\.other/),
    });
    expect(await readdir(above)).toEqual([]);
  });

  test("but the caps can be raised", async () => {
    const { fake, source, directory } = await world();
    addArtifact(fake, [{ title: "a", content: "12345" }, { title: "b" }]);
    const small = fetchArtifactFrom(source, REFERENCE, directory, { maxBytes: 8 });
    await expect(small).rejects.toMatchObject({ code: "manifest-invalid" });
    const few = fetchArtifactFrom(source, REFERENCE, directory, { maxLayers: 1 });
    await expect(few).rejects.toMatchObject({ code: "manifest-invalid" });
    await fetchArtifactFrom(source, REFERENCE, directory, { maxBytes: 9, maxLayers: 2 });
    expect((await readdir(directory)).sort()).toEqual(["a", "b"]);
  });
});

describe("an artifact's pull that fails", () => {
  test.each(["absent", "wrong"])("for an %s layer leaves nothing behind", async (kind) => {
    const { fake, source, above, directory } = await world();
    const { described } = addArtifact(fake, [
      { title: "a" },
      { title: "b/c", content: Buffer.alloc(5 * 2 ** 20, 3) },
    ]);
    const digest = described[1]?.digest ?? "";
    if (kind === "absent") fake.contents.blobs.delete(digest);
    else fake.contents.blobs.set(digest, { size: 5 * 2 ** 20, fill: (_, into) => into.fill(4) });
    const pulled = fetchArtifactFrom(source, REFERENCE, directory);
    const code = kind === "absent" ? "not-found" : "digest-mismatch";
    await expect(pulled).rejects.toMatchObject({ code });
    expect(await readdir(above)).toEqual([]);
  });

  test("among other files leaves those as they were", async () => {
    const { fake, source, directory } = await world();
    await mkdir(directory);
    await writeFile(join(directory, "mine"), "mine");
    const { described } = addArtifact(fake, [{ title: "a" }, { title: "b", content: "gone" }]);
    fake.contents.blobs.delete(described[1]?.digest ?? "");
    await expect(fetchArtifactFrom(source, REFERENCE, directory)).rejects.toMatchObject({
      code: "not-found",
    });
    expect(await readdir(directory)).toEqual(["mine"]);
  });

  test.each(["a new directory", "one that holds files"])(
    "because it was asked to stop goes on from there, into %s",
    async (kind) => {
      const { fake, source, above, directory } = await world();
      const isNew = kind === "a new directory";
      if (!isNew) await mkdir(directory);
      const MIB = 2 ** 20;
      addArtifact(fake, [
        { title: "a", content: Buffer.alloc(3 * MIB, 1) },
        { title: "b", content: Buffer.alloc(12 * MIB, 2) },
      ]);
      fake.settings.bandwidth.registry = 4 * MIB;
      const stop = new AbortController();
      const onProgress = ({ done }: Progress) => void (done > 5 * MIB && stop.abort());
      const stopped = fetchArtifactFrom(source, REFERENCE, directory, { signal: stop.signal, onProgress });
      await expect(stopped).rejects.toMatchObject({
        code: "aborted",
        message: expect.stringContaining("the same command goes on from there"),
      });
      expect(await readdir(above)).not.toContain(isNew ? "notes" : "nothing");
      const { fetched } = await fetchArtifactFrom(source, REFERENCE, directory);
      expect(fetched).toBeLessThan(10 * MIB);
      expect((await readdir(directory)).toSorted()).toEqual(["a", "b"]);
      expect(await readdir(above)).toEqual(["notes"]);
    },
  );

  test("because another pull of it is under way says so", async () => {
    const { fake, source, directory } = await world();
    addArtifact(fake, [{ title: "a", content: Buffer.alloc(2 ** 20, 1) }]);
    const [first, second] = await Promise.allSettled([
      fetchArtifactFrom(source, REFERENCE, directory),
      fetchArtifactFrom(source, REFERENCE, directory),
    ]);
    expect([first.status, second.status].toSorted()).toEqual(["fulfilled", "rejected"]);
    expect([first, second].find(({ status }) => status === "rejected")).toMatchObject({
      reason: { code: "config-invalid" },
    });
  });
});

describe("an artifact in a directory that holds files", () => {
  test("joins them; equal files cost nothing, and stay", async () => {
    const { fake, source, directory } = await world();
    addArtifact(fake, [
      { title: "a", content: "here" },
      { title: "d/b", content: "new" },
    ]);
    await mkdir(join(directory, "d"), { recursive: true });
    await writeFile(join(directory, "a"), "here");
    await writeFile(join(directory, "d/mine"), "mine");
    const pulled = await fetchArtifactFrom(source, REFERENCE, directory);
    expect(pulled.fetched).toBe(3);
    expect((await readdir(directory)).sort()).toEqual(["a", "d"]);
    expect((await readdir(join(directory, "d"))).sort()).toEqual(["b", "mine"]);
  });

  test("never replaces another file", async () => {
    const { fake, source, directory } = await world();
    addArtifact(fake, [{ title: "b" }, { title: "a", content: "theirs" }]);
    await mkdir(directory);
    await writeFile(join(directory, "a"), "mine");
    await expect(fetchArtifactFrom(source, REFERENCE, directory)).rejects.toMatchObject({
      code: "path-invalid",
    });
    expect(await readdir(directory)).toEqual(["a"]);
    expect(await readFile(join(directory, "a"), "utf8")).toBe("mine");
    expect(fake.count({ kind: "blob" })).toBe(0);
  });

  test.each(["d", "d/x"])("never goes through a symbolic link at %s", async (at) => {
    const { fake, source, above, directory } = await world();
    addArtifact(fake, [{ title: "d/x/y", content: "theirs" }]);
    const elsewhere = join(above, "elsewhere");
    await mkdir(join(elsewhere, "x"), { recursive: true });
    await mkdir(at === "d" ? directory : join(directory, "d"), { recursive: true });
    await symlink(elsewhere, join(directory, at));
    await expect(fetchArtifactFrom(source, REFERENCE, directory)).rejects.toMatchObject({
      code: "path-invalid",
    });
    expect(await readdir(elsewhere, { recursive: true })).toEqual(["x"]);
  });

  test("is refused where the directory is a file, or lies nowhere", async () => {
    const { fake, source, above } = await world();
    addArtifact(fake, [{ title: "a" }]);
    await writeFile(join(above, "file"), "");
    for (const place of [join(above, "file"), join(above, "no/where")]) {
      await expect(fetchArtifactFrom(source, REFERENCE, place)).rejects.toMatchObject({
        code: "path-invalid",
      });
    }
    expect((await lstat(join(above, "file"))).size).toBe(0);
  });
});

describe("an artifact behind an index", () => {
  test("is its only child that is no attestation; the index pins the reference", async () => {
    const { fake, source, directory } = await world();
    const child = addArtifact(fake, [{ title: "a", content: "child" }], { tag: "child" });
    const attestation = {
      mediaType: OCI_MANIFEST,
      digest: `sha256:${"e".repeat(64)}`,
      size: 10,
      platform: { os: "unknown", architecture: "unknown" },
      annotations: { "vnd.docker.reference.type": "attestation-manifest" },
    };
    const top = addIndex(fake, [
      { mediaType: OCI_MANIFEST, digest: child.digest, size: child.size },
      attestation,
    ]);
    const pulled = await fetchArtifactFrom(source, REFERENCE, directory);
    expect([pulled.digest, pulled.manifest.digest]).toEqual([top, child.digest]);
    expect(await readFile(join(directory, "a"), "utf8")).toBe("child");
  });

  test("is chosen by type or platform where there are several, and never guessed", async () => {
    const { fake, source, above, directory } = await world();
    const children = ["amd64", "arm64"].map((architecture) => {
      const type = `application/vnd.example.${architecture}`;
      const made = addArtifact(fake, [{ title: architecture }], { tag: architecture, artifactType: type });
      const { digest, size } = made;
      const platform = { os: "linux", architecture };
      return { mediaType: OCI_MANIFEST, digest, size, artifactType: type, platform };
    });
    addIndex(fake, children);
    const unclear = fetchArtifactFrom(source, REFERENCE, directory);
    await expect(unclear).rejects.toMatchObject({
      code: "manifest-invalid",
      message: expect.stringMatching(/several artifacts/),
    });
    const none = fetchArtifactFrom(source, REFERENCE, directory, { artifactType: "application/vnd.x" });
    await expect(none).rejects.toMatchObject({
      code: "manifest-invalid",
      message: expect.stringMatching(/none of its children/),
    });
    await fetchArtifactFrom(source, REFERENCE, join(above, "t"), {
      artifactType: "application/vnd.example.arm64",
    });
    const platform = { os: "linux", architecture: "amd64" };
    await fetchArtifactFrom(source, REFERENCE, join(above, "p"), { platform });
    expect([await readdir(join(above, "t")), await readdir(join(above, "p"))]).toEqual([
      ["arm64"],
      ["amd64"],
    ]);
  });
});

describe("a safe relative path", () => {
  test.each(["a", "a/b.c", ".hidden", "a b", "ünï/ćödé", "...", "a..b"])("is %j", (text) => {
    expect(unsafetyOf(text)).toBeUndefined();
  });

  test("stays below its root, whatever the text", () => {
    const segment = fc.oneof(fc.string(), fc.constantFrom("..", ".", "", "C:", "a\\..\\b", "\u0000"));
    fc.assert(
      fc.property(fc.array(segment), (segments) => {
        const text = segments.join("/");
        if (unsafetyOf(text) === undefined) expect(join("/root", text)).toBe(`/root/${text}`);
      }),
    );
  });
});
