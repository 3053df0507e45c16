/** Shows that knowing a digest opens nothing: what lies here is served for a repository whose own upstream has it, and for no other. */
import { describe, expect, it } from "vitest";
import { mirrorSource } from "../../../src/mirror/mirror-source.ts";
import type { Digest } from "../../../src/oci/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import type { FakeRegistry } from "../../support/fake-registry.ts";
import { MiB, type MirrorWorld, startWorld, UPSTREAM } from "../../support/mirror-world.ts";
import { digestOfPattern } from "../../support/pattern.ts";
import { startFake } from "../../support/start-upstream.ts";
import { upstreamOf } from "../../support/upstream-of.ts";

const loggedIn = { loggedIn: true };
const there = { upstream: "other.test" };
const SECRET = "alice/secret";
const PUBLIC = "mallory/public";
const SIZE = 300_000;
const layer = digestOfPattern(7, SIZE);

/** What somebody publishes who knows the digest of a layer: nothing keeps a registry from taking it. */
function publishNaming(fake: FakeRegistry, digest: Digest, size: number): void {
  const part = { mediaType: "x/y", digest, size };
  const text = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: part, layers: [part] };
  fake.addManifest(PUBLIC, "1", Buffer.from(JSON.stringify(text)), OCI_MANIFEST);
}

/** The same of a manifest: as a child, and as what something else is about. */
function publishAbout(fake: FakeRegistry, digest: Digest): void {
  const part = { mediaType: OCI_MANIFEST, digest, size: 500 };
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [part] };
  fake.addManifest(PUBLIC, "index", Buffer.from(JSON.stringify(index)), OCI_INDEX);
  const signature = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: {}, layers: [], subject: part };
  fake.addManifest(PUBLIC, "about", Buffer.from(JSON.stringify(signature)), OCI_MANIFEST);
}

/** A private image that was pulled with a login, and what somebody publishes who knows its digests. */
async function worldWithStolenDigests() {
  const other = await startFake({ mode: "plain" });
  const world = await startWorld({
    mode: "hub",
    settings: { users: { granary: "hunter2" }, privateRepositories: new Set([SECRET]) },
    upstream: { credentials: { username: "granary", password: "hunter2" } },
    others: [upstreamOf(other, { name: there.upstream })],
  });
  const { fake } = world;
  publishNaming(fake, layer, SIZE);
  publishNaming(other, layer, SIZE);
  const secret = fake.addImage(SECRET, "1", { layers: [SIZE], seed: 7 });
  for (const at of [fake, other]) publishAbout(at, secret.manifestDigest);
  await world.get(SECRET, "1", loggedIn);
  await world.read(SECRET, layer, undefined, loggedIn);
  await world.fills(0);
  return { world, other, secret };
}

async function expectNothing(world: MirrorWorld, asks: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const ask of asks) await expect(ask()).rejects.toMatchObject({ code: "not-found" });
  expect((await world.mirror.status()).pins).toBe(0);
}

describe("private content whose digest somebody knows", () => {
  it.each([
    ["the same registry", {}],
    ["another registry", there],
  ])("is not served through a public repository of %s that names it", async (_name, where) => {
    const { world, secret } = await worldWithStolenDigests();
    for (const tag of ["1", "index", "about"]) await world.get(PUBLIC, tag, where);
    const { manifestDigest } = secret;
    await expectNothing(world, [
      () => world.read(PUBLIC, layer, undefined, where),
      () => world.read(PUBLIC, layer, { start: 10, end: 20 }, where),
      () => world.stat(PUBLIC, layer, where),
      () => world.get(PUBLIC, manifestDigest, where),
      () => world.head(PUBLIC, manifestDigest, where),
    ]);
    expect(await world.read(SECRET, layer, undefined, loggedIn)).toHaveLength(SIZE);
  });

  it("is not given to code that reads through the library either", async () => {
    const { world, secret } = await worldWithStolenDigests();
    const source = mirrorSource(world.mirror);
    const named = (text: string) => parseReference(`${there.upstream}/${PUBLIC}${text}`);
    await source.manifest(named(":1"));
    const origin = source.origin(named(""), layer);
    await expectNothing(world, [
      () => source.manifest(named(`@${secret.manifestDigest}`)),
      () => source.blobSize(named(""), layer),
      async () => await origin.open({ start: 0, end: SIZE }, new AbortController().signal),
    ]);
  });

  it("is not served while the registry cannot be asked, and whoever asks hears when to come back", async () => {
    const { world, other } = await worldWithStolenDigests();
    await world.get(PUBLIC, "1", there);
    await other.pause();
    for (const ask of [
      () => world.read(PUBLIC, layer, undefined, there),
      () => world.stat(PUBLIC, layer, there),
    ])
      await expect(ask()).rejects.toMatchObject({ code: "upstream-unavailable" });
  });

  it("is not served after an update of Granary for what an older one had taken for granted", async () => {
    const world = await startWorld();
    world.fake.addGeneratedBlob({ seed: 7, size: SIZE }, "a/one");
    world.fake.contents.repository("a/two");
    await world.read("a/one", layer);
    await world.fills(0);
    // What a row of before the update says: seen, with a size.
    const old = { kind: "stated", digest: layer, size: SIZE } as const;
    await world.metadata.recordLink({ upstream: UPSTREAM, repository: "a/two" }, old);
    await expectNothing(world, [() => world.read("a/two", layer), () => world.stat("a/two", layer)]);
  });
});

describe("a blob that came through another repository", () => {
  it("is asked for once where a manifest names it, and never again, over restarts and without the upstream", async () => {
    const world = await startWorld();
    const { layerDigests } = world.fake.addImage("a/one", "1", { layers: [SIZE], seed: 7 });
    world.fake.addImage("a/two", "1", { layers: [SIZE], seed: 7 });
    for (const repository of ["a/one", "a/two"]) await world.get(repository, "1");
    await world.read("a/one", layerDigests[0] ?? "");
    await world.fills(0);
    world.fake.forgetRequests();
    await Promise.all(Array.from({ length: 8 }, () => world.read("a/two", layer)));
    expect(await world.stat("a/two", layer)).toMatchObject({ size: SIZE, outcome: "hit" });
    expect(world.fake.requests.map(({ method }) => method)).toEqual(["HEAD"]);
    await world.restart(() => world.fake.pause());
    expect(await world.read("a/two", layer)).toHaveLength(SIZE);
  });

  it("and is still coming in gives no byte before the repository's own answer", async () => {
    const world = await startWorld({ settings: { bandwidth: { registry: 2 * MiB, cdn: undefined } } });
    const big = digestOfPattern(9, MiB);
    publishNaming(world.fake, big, MiB);
    world.fake.addGeneratedBlob({ seed: 9, size: MiB }, "a/one");
    await world.get(PUBLIC, "1");
    // Opened while the blob was nowhere: only the read shows whose bytes those are.
    const early = await world.open(PUBLIC, big);
    const reading = world.read("a/one", big);
    await world.fills(1);
    const reader = early.blob.reader({ start: 0, end: 1000 });
    await expect(reader.read(new Uint8Array(1000))).rejects.toMatchObject({ code: "not-found" });
    reader.close();
    early.blob.release();
    await expect(world.read(PUBLIC, big)).rejects.toMatchObject({ code: "not-found" });
    expect(await reading).toHaveLength(MiB);
  });

  it("and was left half-way gives none of its bytes either", async () => {
    const world = await startWorld({ upstream: { policy: { smallBlob: 1000, firstSegment: 64 * 1024 } } });
    const big = digestOfPattern(9, MiB);
    publishNaming(world.fake, big, MiB);
    world.fake.addGeneratedBlob({ seed: 9, size: MiB }, "a/one");
    await world.get(PUBLIC, "1");
    const start = { start: 0, end: 1000 };
    await world.read("a/one", big, start);
    await world.fills(0);
    await expect(world.read(PUBLIC, big, start)).rejects.toMatchObject({ code: "not-found" });
    await world.fills(0);
  });
});

it("an ordinary cold pull costs no question more: the answer with the bytes is the proof", async () => {
  const world = await startWorld();
  const { configDigest, layerDigests } = world.fake.addImage("a/b", "1", { layers: [SIZE] });
  const blobs = [configDigest, ...layerDigests];
  await world.get("a/b", "1");
  for (const digest of blobs) await world.read("a/b", digest);
  expect(world.fake.count({ method: "HEAD" })).toBe(0);
  await world.fills(0);
  await world.restart(() => world.fake.pause());
  for (const digest of blobs) expect((await world.read("a/b", digest)).length).toBeGreaterThan(0);
});

it("who asks for digests that are not there makes the registry hear of each once in a while, not each time", async () => {
  const world = await startWorld();
  world.fake.contents.repository("a/b");
  const absent = digestOfPattern(99, 5);
  for (let pass = 0; pass < 5; pass++)
    await Promise.all(
      Array.from({ length: 10 }, () =>
        expect(world.read("a/b", absent)).rejects.toMatchObject({ code: "not-found" }),
      ),
    );
  expect(world.fake.count()).toBe(1);
  world.fake.addGeneratedBlob({ seed: 99, size: 5 }, "a/b");
  world.clock.aheadMs += 60_000;
  expect(await world.read("a/b", absent)).toHaveLength(5);
});

it("nor does who publishes a manifest of layers that are not there", async () => {
  const world = await startWorld();
  const absent = digestOfPattern(99, 5);
  publishNaming(world.fake, absent, 5);
  await world.get(PUBLIC, "1");
  world.fake.forgetRequests();
  for (let pass = 0; pass < 5; pass++) await expectNothing(world, [() => world.read(PUBLIC, absent)]);
  // A blob that was never seen is asked for three times before that is believed.
  expect(world.fake.count()).toBe(3);
  await world.fills(0);
});

it.each([
  ["a sign-in page", { "content-type": "text/html; charset=utf-8", "docker-content-digest": null }],
  ["another digest", { "docker-content-digest": digestOfPattern(1, 1) }],
])("%s in place of an answer is no proof of anything", async (_name, headers) => {
  const other = await startFake({ mode: "plain" });
  const world = await startWorld({ others: [upstreamOf(other, { name: there.upstream })] });
  world.fake.addGeneratedBlob({ seed: 7, size: SIZE });
  await world.read("a/b", layer);
  await world.fills(0);
  other.addGeneratedBlob({ seed: 7, size: SIZE });
  other.fail(/blobs/, { kind: "headers", headers }, { times: 1000 });
  for (const ask of [() => world.stat("a/b", layer, there), () => world.read("a/b", layer, undefined, there)])
    await expect(ask()).rejects.toMatchObject({ code: "upstream-protocol" });
  // Nor where the blob was nowhere as it was asked for.
  const early = digestOfPattern(8, SIZE);
  publishNaming(other, early, SIZE);
  other.addGeneratedBlob({ seed: 8, size: SIZE });
  await world.get(PUBLIC, "1", there);
  await expect(world.read(PUBLIC, early, undefined, there)).rejects.toMatchObject({
    code: "upstream-protocol",
  });
  world.fake.addGeneratedBlob({ seed: 8, size: SIZE });
  await world.read("a/b", early);
  await world.fills(0);
  await expect(world.read(PUBLIC, early, undefined, there)).rejects.toMatchObject({
    code: "upstream-protocol",
  });
});

describe("the type of a manifest", () => {
  /** OCI documents need not say what they are. */
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, config: {}, layers: [] }));

  it("is what the repository's own registry calls it, whatever another one called the same bytes before", async () => {
    const liar = await startFake({ mode: "plain" });
    const world = await startWorld({ others: [upstreamOf(liar, { name: there.upstream })] });
    const digest = liar.addManifest("a/b", "1", bytes, "application/x.evil+json");
    world.fake.addManifest("a/b", "1", bytes, OCI_MANIFEST);
    expect((await world.get("a/b", "1", there)).manifest.mediaType).toBe("application/x.evil+json");
    for (const reference of [digest, "1"]) {
      expect((await world.head("a/b", reference)).mediaType).toBe(OCI_MANIFEST);
      expect((await world.get("a/b", reference)).manifest.mediaType).toBe(OCI_MANIFEST);
    }
    await world.restart();
    expect((await world.get("a/b", digest, there)).manifest.mediaType).toBe("application/x.evil+json");
    expect((await world.get("a/b", digest)).manifest.mediaType).toBe(OCI_MANIFEST);
  });

  it("an answer that does not name the digest is no proof: the bytes are asked for", async () => {
    const other = await startFake({ mode: "plain" });
    const world = await startWorld({ others: [upstreamOf(other, { name: there.upstream })] });
    const digest = world.fake.addManifest("a/b", "1", bytes, OCI_MANIFEST);
    await world.get("a/b", digest);
    // A page for people, in place of an answer.
    other.fail(
      /manifests/,
      { kind: "status", status: 200, body: "<html>", headers: { "content-type": OCI_MANIFEST } },
      { times: 10 },
    );
    await expect(world.get("a/b", digest, there)).rejects.toMatchObject({ code: "digest-mismatch" });
    await expect(world.head("a/b", digest, there)).rejects.toMatchObject({ code: "digest-mismatch" });
  });
});
