/** Shows the two sizes of an image: as sent, and as unpacked, which are never taken for each other. */
import { randomBytes } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Progress } from "../../../src/client/fetching/progress.ts";
import { imageFrom } from "../../../src/client/images/image.ts";
import { layersSize, uncompressedSize } from "../../../src/client/images/image-size.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { type ImageDocument, placeImage } from "../../support/fake-images.ts";
import type { FakeRegistry } from "../../support/fake-registry.ts";
import { sourceOf } from "../../support/source-of.ts";
import { startFake } from "../../support/start-upstream.ts";

const TAR = "application/vnd.oci.image.layer.v1.tar";
const DOCKER_TAR = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const ZEROS = Buffer.alloc(3_000_000);
const NOISE = randomBytes(700_000);

async function imageOf(fake: FakeRegistry, layers: NonNullable<ImageDocument["layers"]>) {
  placeImage(fake, "a/b", "1", { layers });
  return await imageFrom(sourceOf(fake), parseReference("fake.test/a/b:1"));
}

describe("the size of an image", () => {
  it("is the sum of its layers as they are sent", async () => {
    const fake = await startFake({ mode: "plain" });
    const layers = [gzipSync(ZEROS), gzipSync(NOISE), Buffer.from("x")];
    const image = await imageOf(fake, layers);
    expect(layersSize(image)).toBe(layers.reduce((sum, { length }) => sum + length, 0));
    expect(layersSize(image)).toBeGreaterThan(NOISE.length);
    expect(fake.count({ kind: "blob" }), "blobs asked for: the config").toBe(1);
  });

  it("is exact above 2^32", async () => {
    const fake = await startFake({ mode: "plain" });
    const sizes = [2 ** 32 + 1, 2 ** 40 + 3];
    const layers = sizes.map((size) => ({ mediaType: TAR, digest: digestOf(Buffer.from(`${size}`)), size }));
    placeImage(fake, "a/b", "1", { manifest: { layers } });
    const image = await imageFrom(sourceOf(fake), parseReference("fake.test/a/b:1"));
    expect(layersSize(image)).toBe(2 ** 40 + 2 ** 32 + 4);
  });
});

describe("the uncompressed size of an image", () => {
  it("is what its layers unpack to, whatever their media types say of the compression", async () => {
    const fake = await startFake({ mode: "plain" });
    const image = await imageOf(fake, [
      gzipSync(ZEROS),
      { bytes: zstdCompressSync(NOISE), mediaType: `${TAR}+zstd` },
      { bytes: NOISE.subarray(1), mediaType: TAR },
      { bytes: gzipSync(Buffer.from("abc")), mediaType: TAR },
      { bytes: gzipSync(Buffer.from("abcd")), mediaType: "application/octet-stream" },
      { bytes: Buffer.concat([gzipSync(ZEROS), gzipSync(NOISE)]), mediaType: DOCKER_TAR },
    ]);
    const expected = 2 * ZEROS.length + 3 * NOISE.length - 1 + 3 + 4;
    expect(await uncompressedSize(image)).toBe(expected);
    expect(layersSize(image)).not.toBe(expected);
  });

  it("counts what is no tar as it is, without fetching it", async () => {
    const fake = await startFake({ mode: "plain" });
    const weights = { bytes: gzipSync(ZEROS), mediaType: "application/vnd.ollama.image.model" };
    const image = await imageOf(fake, [weights, gzipSync(NOISE)]);
    expect(await uncompressedSize(image)).toBe(weights.bytes.length + NOISE.length);
    expect(fake.bytesSentFor(digestOf(weights.bytes))).toBe(0);
  });

  it("counts a layer that stands there twice twice, and fetches it once", async () => {
    const fake = await startFake({ mode: "plain" });
    const layer = gzipSync(NOISE);
    const reports: Progress[] = [];
    const image = await imageOf(fake, [layer, layer]);
    const size = await uncompressedSize(image, { onProgress: (progress) => reports.push(progress) });
    expect(size).toBe(2 * NOISE.length);
    expect(fake.bytesSentFor(digestOf(layer))).toBe(layer.length);
    expect(reports.at(-1)).toEqual({ phase: "fetch", done: layer.length, total: layer.length });
  });

  it("reports progress that only grows, over all layers, and ends at the total", async () => {
    const fake = await startFake({ mode: "plain" });
    const reports: Progress[] = [];
    const image = await imageOf(fake, [gzipSync(NOISE), gzipSync(ZEROS), NOISE]);
    fake.fail(/blobs/, { kind: "cut", afterBytes: 200_000 });
    await uncompressedSize(image, { onProgress: (progress) => reports.push(progress) });
    const done = reports.map((report) => report.done);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect(reports.length).toBeGreaterThan(3);
    expect(reports.at(-1)).toEqual({ phase: "fetch", done: layersSize(image), total: layersSize(image) });
  });

  it("ends at once when it is told to, though the registry is silent, and leaves no connection", async () => {
    const fake = await startFake({ mode: "plain" });
    const image = await imageOf(fake, [NOISE]);
    fake.fail(/blobs/, { kind: "stall", afterBytes: 100_000 });
    const abort = new AbortController();
    const onProgress = () => abort.abort();
    const size = uncompressedSize(image, { signal: abort.signal, onProgress });
    await expect(size).rejects.toMatchObject({ code: "aborted" });
    const before = uncompressedSize(image, { signal: AbortSignal.abort() });
    await expect(before).rejects.toMatchObject({ code: "aborted" });
    await image.source.close();
    await expect.poll(() => fake.connections).toBe(0);
  });

  it("ends with what `onProgress` throws", async () => {
    const fake = await startFake({ mode: "plain" });
    const image = await imageOf(fake, [gzipSync(NOISE)]);
    const failure = new Error("the caller's own");
    const onProgress = () => {
      throw failure;
    };
    await expect(uncompressedSize(image, { onProgress })).rejects.toBe(failure);
  });

  it("is no number when a layer is not what its digest says", async () => {
    const fake = await startFake({ mode: "plain" });
    const image = await imageOf(fake, [NOISE]);
    fake.fail(/blobs/, { kind: "flip", offset: 600_000 }, { times: 10 });
    await expect(uncompressedSize(image)).rejects.toMatchObject({ code: "digest-mismatch" });
  });

  it("is no number when only the padding after the compressed data is wrong", async () => {
    const fake = await startFake({ mode: "plain" });
    const small = gzipSync(Buffer.from("small"));
    const image = await imageOf(fake, [Buffer.concat([small, Buffer.alloc(500_000)])]);
    expect(await uncompressedSize(image)).toBe(5);
    fake.fail(/blobs/, { kind: "flip", offset: 499_999 }, { times: 10 });
    const code = expect.stringMatching(/digest-mismatch|manifest-invalid/);
    await expect(uncompressedSize(image)).rejects.toMatchObject({ code });
  });

  it("is no number when a layer is cut off inside its compression", async () => {
    const fake = await startFake({ mode: "plain" });
    const image = await imageOf(fake, [gzipSync(NOISE).subarray(0, 300_000)]);
    await expect(uncompressedSize(image)).rejects.toMatchObject({ code: "manifest-invalid" });
  });
});
