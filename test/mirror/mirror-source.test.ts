/** Shows the cache as a Source: what the client verbs read through it is fetched once, released always, and there offline. */
import { describe, expect, it } from "vitest";
import { readSmallBlob } from "../../src/client/fetching/read-blob.ts";
import { imageFrom } from "../../src/client/images/image.ts";
import { imageDigestFrom } from "../../src/client/images/image-digest.ts";
import { mirrorSource } from "../../src/mirror/mirror-source.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import { atDigest, parseReference } from "../../src/oci/reference.ts";
import { parseModelName } from "../../src/ollama/model-name.ts";
import type { OpenedRange } from "../../src/origin.ts";
import { placeIndexOf } from "../support/fake-images.ts";
import { MiB, startWorld, UPSTREAM } from "../support/mirror-world.ts";
import { eventually } from "../support/patience.ts";
import { digestOfPattern, firstDifference } from "../support/pattern.ts";
import { patient } from "../support/start-upstream.ts";

const REPOSITORY = { registry: UPSTREAM, repository: "a/b" };
const IMAGE = parseReference(`${UPSTREAM}/a/b:1`);

async function bytesOf({ body }: OpenedRange): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe("manifests", () => {
  it("come by tag and by digest, cost the upstream one request, and are there when it is gone", async () => {
    const world = await startWorld();
    const { manifestDigest } = world.fake.addImage("a/b", "1", { layers: [10] });
    const source = mirrorSource(world.mirror);
    const manifest = await source.manifest(IMAGE);
    expect(manifest.digest).toBe(manifestDigest);
    const asked = world.fake.count();
    await world.fake.pause();
    for (const reference of [IMAGE, atDigest(IMAGE, manifestDigest), { ...IMAGE, digest: manifestDigest }]) {
      expect(await source.manifest(reference)).toEqual(manifest);
      expect(await source.headManifest(reference)).toEqual({
        digest: manifestDigest,
        mediaType: manifest.mediaType,
        size: manifest.bytes.length,
      });
    }
    expect(world.fake.count()).toBe(asked);
  });

  it("with tag and digest go by the digest", async () => {
    const world = await startWorld();
    const old = world.fake.addImage("a/b", "1", { layers: [10] });
    world.fake.addImage("a/b", "1", { layers: [11] });
    const reference = { ...IMAGE, digest: old.manifestDigest };
    expect((await mirrorSource(world.mirror).manifest(reference)).digest).toBe(old.manifestDigest);
  });

  it("that are not there are not found; of a registry that is not configured nothing is", async () => {
    const world = await startWorld();
    const source = mirrorSource(world.mirror);
    await expect(source.manifest(IMAGE)).rejects.toMatchObject({ code: "not-found" });
    await expect(source.headManifest(IMAGE)).rejects.toMatchObject({ code: "not-found" });
    await expect(source.manifest(parseReference("other.test/a/b"))).rejects.toMatchObject({
      code: "route-unknown",
    });
  });

  it("are found by another name of their upstream, and kept once", async () => {
    const world = await startWorld({ upstream: { aliases: ["alias.test"] } });
    const { manifestDigest, layerDigests } = world.fake.addImage("u/r", "1", { layers: [10] });
    const source = mirrorSource(world.mirror, [{ name: UPSTREAM, aliases: ["alias.test"] }]);
    const [own, other] = [UPSTREAM, "alias.test"].map((host) => parseModelName(`${host}/u/r:1`));
    if (own === undefined || other === undefined) throw new Error("two names were given");
    expect((await source.manifest(own)).digest).toBe(manifestDigest);
    expect((await source.manifest(other)).digest).toBe(manifestDigest);
    expect(world.fake.count({ kind: "manifest" })).toBe(1);
    for (const digest of layerDigests) expect(await source.blobSize(other, digest)).toBe(10);
  });

  it("of an index lead to the image of a platform, and to its digest, without the upstream", async () => {
    const world = await startWorld();
    const digests = placeIndexOf(world.fake, "a/b", "1", ["linux/amd64", "linux/arm64"]);
    const source = mirrorSource(world.mirror);
    const options = { platform: parsePlatform("linux/arm64") };
    await imageFrom(source, IMAGE, options);
    await world.fake.pause();
    const image = await imageFrom(source, IMAGE, options);
    expect(image.manifest.digest).toBe(digests.get("linux/arm64"));
    expect(await imageDigestFrom(source, IMAGE, options)).toMatchObject({ digest: image.manifest.digest });
    expect(await imageDigestFrom(source, IMAGE)).toEqual({ digest: image.index?.digest, kind: "index" });
  });
});

describe("blobs", () => {
  it("are read in ranges, exactly, cross once, and are there when the upstream is gone", async () => {
    const world = await startWorld();
    const size = 3 * MiB + 7;
    const digest = world.fake.addGeneratedBlob({ seed: 5, size });
    const source = mirrorSource(world.mirror);
    expect(source.isLocal).toBe(true);
    const origin = source.origin(REPOSITORY, digest);
    const whole = await bytesOf(await origin.open({ start: 0, end: size }, patient));
    expect(digestOf(whole)).toBe(digest);
    await world.fills(0);
    await world.fake.pause();
    for (const [start, end] of [
      [0, 1],
      [MiB - 1, 2 * MiB + 1],
      [size - 1, size],
      [size - 5, size + 100],
    ] as const) {
      const opened = await origin.open({ start, end }, patient);
      const range = { start, end: Math.min(end, size) };
      expect(opened).toMatchObject({ range, size, rangeBlind: false });
      const bytes = await bytesOf(opened);
      expect(bytes.length).toBe(range.end - range.start);
      expect(firstDifference(5, start, bytes)).toBeUndefined();
    }
    expect(await source.blobSize(REPOSITORY, digest)).toBe(size);
    expect(world.fake.bytesSentFor(digest)).toBe(size);
  });

  it("beyond their end are no range, and an empty one is whole", async () => {
    const world = await startWorld();
    const digest = world.fake.addGeneratedBlob({ seed: 5, size: 10 });
    const empty = world.fake.addBlob(new Uint8Array(0));
    const source = mirrorSource(world.mirror);
    const beyond = source.origin(REPOSITORY, digest).open({ start: 10, end: 11 }, patient);
    await expect(beyond).rejects.toMatchObject({ code: "range-unsatisfiable" });
    expect(await readSmallBlob(source, REPOSITORY, { digest: empty, size: 0 }, 10)).toHaveLength(0);
  });

  it("are let go however a reader leaves: at the end, early, unread, aborted", async () => {
    const world = await startWorld();
    const size = 4 * MiB;
    const digest = world.fake.addGeneratedBlob({ seed: 6, size });
    const origin = mirrorSource(world.mirror).origin(REPOSITORY, digest);
    const range = { start: 0, end: size };
    for await (const _chunk of (await origin.open(range, patient)).body) break;
    (await origin.open(range, patient)).dismiss();
    const abort = new AbortController();
    const body = (await origin.open(range, abort.signal)).body[Symbol.asyncIterator]();
    await body.next();
    abort.abort();
    await expect(body.next()).rejects.toMatchObject({ code: "closed" });
    await eventually(async () => expect((await world.mirror.status()).pins).toBe(0));
  });

  it("end at once for whoever gives up while the upstream is silent, and hold no pin when it speaks", async () => {
    const world = await startWorld({ settings: { latencyMs: { registry: 300, cdn: 0, auth: 0 } } });
    const digest = world.fake.addGeneratedBlob({ seed: 7, size: 10 });
    const origin = mirrorSource(world.mirror).origin(REPOSITORY, digest);
    const abort = new AbortController();
    const opened = origin.open({ start: 0, end: 10 }, abort.signal);
    abort.abort();
    await expect(opened).rejects.toMatchObject({ code: "aborted" });
    expect((await world.mirror.status()).pins, "the look-up goes on").toBe(1);
    await eventually(async () => expect((await world.mirror.status()).pins).toBe(0));
    const late = origin.open({ start: 0, end: 10 }, AbortSignal.abort());
    await expect(late).rejects.toMatchObject({ code: "aborted" });
  });

  it("that are not there are not found", async () => {
    const world = await startWorld();
    const source = mirrorSource(world.mirror);
    const digest = digestOfPattern(9, 9);
    await expect(source.blobSize(REPOSITORY, digest)).rejects.toMatchObject({ code: "not-found" });
    const opened = source.origin(REPOSITORY, digest).open({ start: 0, end: 9 }, patient);
    await expect(opened).rejects.toMatchObject({ code: "not-found" });
  });
});

it("its end is not the Mirror's, which is its owner's", async () => {
  const world = await startWorld();
  world.fake.addImage("a/b", "1", { layers: [10] });
  const source = mirrorSource(world.mirror);
  await source.close();
  expect(await source.manifest(IMAGE)).toBeDefined();
});

it("content that only the Mirror's own login can read is read: whoever holds the Mirror may", async () => {
  const users = { "granary-user": "secret" };
  const world = await startWorld({
    mode: "hub",
    settings: { users, privateRepositories: new Set(["a/b"]) },
    upstream: { credentials: { username: "granary-user", password: "secret" } },
  });
  const { manifestDigest } = world.fake.addImage("a/b", "1", { layers: [10] });
  expect((await mirrorSource(world.mirror).manifest(IMAGE)).digest).toBe(manifestDigest);
});
