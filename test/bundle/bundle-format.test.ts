/** Shows the format of bundles: the same names come back from it, the same contents make the same bytes, and hostile ones end in a sentence. */
import { describe, expect, test } from "vitest";
import { blobFile, bundleLists, digestOfFile, parseBundleIndex } from "../../src/bundle/bundle-index.ts";
import type { BundleName } from "../../src/bundle/bundle-name.ts";
import { type BundleFile, packBundle, unpackBundle } from "../../src/bundle/bundle-tar.ts";
import { framed, unframed } from "../../src/bundle/frames.ts";
import { bundleParts } from "../../src/bundle/parts-of.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { OCI_MANIFEST } from "../../src/oci/media-types.ts";
import { tarOf } from "../client/archives/make-archive.ts";
import { inPieces, madeImage, madeIndex } from "../support/made-bundle.ts";
import { patternBytes } from "../support/pattern.ts";

const digest = digestOf(Buffer.from("a manifest"));

function named(upstream: string, repository: string, tag: string | undefined): BundleName {
  return { upstream, repository, tag, digest, mediaType: OCI_MANIFEST, size: 10 };
}

function listOf(...names: readonly BundleName[]): Uint8Array {
  return bundleLists(names, []).get("index.json") ?? new Uint8Array();
}

async function collected(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const found: Uint8Array[] = [];
  for await (const chunk of chunks) found.push(chunk);
  return Buffer.concat(found);
}

async function* these(...files: readonly BundleFile[]): AsyncGenerator<BundleFile> {
  yield* files;
}

describe("names", () => {
  test.each([
    ["an image of Docker Hub", named("docker.io", "library/alpine", "3.22")],
    ["a registry with a port", named("registry.test:5000", "team/app", "v1")],
    ["a model with upper case", named("registry.ollama.ai", "MaziyarPanahi/Phi-4-GGUF", "Q4_K_M")],
    ["what goes by its digest", named("ghcr.io", "org/app", undefined)],
  ])("%s come back as they were", (_, name) => {
    expect(parseBundleIndex(listOf(name))).toEqual([name]);
  });

  test.each([
    [{ "io.containerd.image.name": "docker.io/library/alpine:3" }, "docker.io", "library/alpine", "3"],
    [{ "org.opencontainers.image.ref.name": "ghcr.io/org/app:v2" }, "ghcr.io", "org/app", "v2"],
    [{ "org.opencontainers.image.ref.name": "latest" }, undefined, undefined, "latest"],
    [{}, undefined, undefined, undefined],
    [
      { "io.granary.upstream": "a", "io.granary.repository": "b", "io.granary.tag": "../c" },
      undefined,
      undefined,
      undefined,
    ],
    [{ "io.containerd.image.name": "x".repeat(100_000) }, undefined, undefined, undefined],
    [{ "io.containerd.image.name": "docker.io/UPPER/case:1" }, undefined, undefined, undefined],
  ])("%j of another writer name what they can", (annotations, upstream, repository, tag) => {
    const entry = { mediaType: OCI_MANIFEST, digest, size: 10, annotations };
    const index = Buffer.from(JSON.stringify({ manifests: [entry] }));
    expect(parseBundleIndex(index)).toMatchObject([{ upstream, repository, tag }]);
  });

  test.each([
    ["no JSON", "{", "not JSON"],
    ["too many names", JSON.stringify({ manifests: Array(10_001).fill({}) }), "more than 10000"],
    ["an entry without a digest", '{"manifests":[{"size":1}]}', "not a digest"],
    ["a digest that is a path", '{"manifests":[{"digest":"sha256:../../x","size":1}]}', "not a digest"],
  ])("%s is refused", (_, text, sentence) => {
    expect(() => parseBundleIndex(Buffer.from(text))).toThrow(sentence);
  });

  test.each(["blobs/sha256/../../etc/passwd", "blobs/md5/00", "blobs/sha256/ABC", "index.json", ""])(
    "%j is the place of no blob",
    (name) => expect(digestOfFile(name)).toBeUndefined(),
  );
});

describe("the tar", () => {
  test("keeps names of every length, also of sha512, and the same files give the same bytes", async () => {
    const long = digestOf(Buffer.from("x"), "sha512");
    const files = () =>
      these(
        { name: blobFile(long), size: 3, body: [Buffer.from("abc")] },
        { name: "empty", size: 0, body: [] },
        { name: blobFile(digest), size: 200_000, body: inPieces(patternBytes(1, 0, 200_000), 999) },
      );
    const tar = await collected(packBundle(files()));
    expect((await collected(packBundle(files()))).equals(tar)).toBe(true);
    const found: [string, Buffer][] = [];
    for await (const { name, body } of unpackBundle(inPieces(tar, 777)))
      found.push([name, await collected(body as AsyncIterable<Uint8Array>)]);
    expect(found.map(([name]) => name)).toEqual([blobFile(long), "empty", blobFile(digest)]);
    expect(found[2]?.[1].equals(patternBytes(1, 0, 200_000))).toBe(true);
  });

  test("that is written ends with the failure of one of its files, whoever reads it", async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("abc");
      throw new Error("the disk is gone");
    }
    const reading = collected(packBundle(these({ name: "a", size: 10, body: broken() })));
    await expect(reading).rejects.toThrow("the disk is gone");
  });

  test("that is left early begins no further file", async () => {
    let begun = 0;
    async function* many(): AsyncGenerator<BundleFile> {
      for (let index = 0; index < 1_000; index++) {
        begun += 1;
        yield { name: `f${index}`, size: 2 ** 20, body: inPieces(Buffer.alloc(2 ** 20)) };
      }
    }
    for await (const _ of packBundle(many())) break;
    expect(begun).toBeLessThan(10);
  });

  test("links, folders and devices in it are no files, and what nobody reads is skipped", async () => {
    const tar = await tarOf([
      { name: "link", type: "symlink", linkname: "/etc/passwd" },
      { name: "folder", type: "directory" },
      { name: "./a", content: patternBytes(1, 0, 100_000) },
      { name: "/b", content: "b" },
    ]);
    const names: string[] = [];
    for await (const { name } of unpackBundle(inPieces(tar))) names.push(name);
    expect(names).toEqual(["a", "b"]);
  });

  test.each([
    ["is cut off", (tar: Buffer) => tar.subarray(0, 60_000)],
    ["claims more than there is", (tar: Buffer) => Buffer.concat([tar.subarray(0, 512), Buffer.alloc(512)])],
    ["has a broken header", (tar: Buffer) => Buffer.concat([Buffer.alloc(512, 1), tar])],
  ])("that %s is refused with a sentence", async (_, damage) => {
    const tar = damage(await tarOf([{ name: "a", content: patternBytes(1, 0, 100_000) }]));
    const reading = (async () => {
      for await (const { body } of unpackBundle(inPieces(tar)))
        await collected(body as AsyncIterable<Uint8Array>);
    })();
    await expect(reading).rejects.toMatchObject({ code: "manifest-invalid" });
  });
});

describe("frames", () => {
  const chunks = [Buffer.from("one"), Buffer.alloc(0), patternBytes(1, 0, 70_000)];
  async function* source(fails = false): AsyncGenerator<Uint8Array> {
    yield* chunks;
    if (fails) throw new Error("no");
  }
  const told = (failure: unknown) => ({ failed: failure !== undefined });

  test.each([false, true])(
    "give the bytes back in whatever pieces they come, and say how it ended (%s)",
    async (fails) => {
      const sent = await collected(framed(source(fails), told));
      for (const size of [1, 3, 4_096]) {
        let end: unknown;
        const back = await collected(unframed(inPieces(sent, size), (ended) => (end = ended)));
        expect(back.equals(Buffer.concat(chunks))).toBe(true);
        expect(end).toEqual({ failed: fails });
      }
    },
  );

  test("that break off anywhere are never taken for whole", async () => {
    const sent = await collected(framed(source(), told));
    for (const at of [0, 2, 5, 100, 70_000, sent.length - 1]) {
      const reading = collected(unframed(inPieces(sent.subarray(0, at)), () => undefined));
      await expect(reading, String(at)).rejects.toMatchObject({ code: "upstream-protocol" });
    }
  });
});

describe("parts", () => {
  test("of an index are those of its manifests that are at hand; a manifest that lists itself ends", () => {
    const [one, two] = [madeImage(1), madeImage(2)];
    const index = madeIndex({ "linux/amd64": one, "linux/arm64": two });
    const atHand = new Map([index, one].map(({ digest, manifest }) => [digest, manifest]));
    const parts = bundleParts(index, atHand, "x");
    expect(parts.manifests.map(({ manifest }) => manifest.digest)).toEqual([index.digest, one.digest]);
    expect([...parts.blobs.keys()]).toEqual(one.blobs.map((blob) => digestOf(blob)));
    expect(parts.absent).toEqual([two.digest]);
  });

  test("of an image leave out what only its maker has", () => {
    const layer = digestOf(Buffer.from("windows"));
    const config = { mediaType: "application/vnd.docker.container.image.v1+json", digest, size: 10 };
    const foreign = {
      mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
      ...{ digest: layer, size: 7, urls: ["https://example.test/layer"] },
    };
    const manifest = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [foreign] }),
    );
    const root = { digest: digestOf(manifest), mediaType: OCI_MANIFEST };
    expect([...bundleParts(root, new Map([[root.digest, manifest]]), "x").blobs.keys()]).toEqual([digest]);
  });
});
