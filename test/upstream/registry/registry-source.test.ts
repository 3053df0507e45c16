/** Shows registries as a Source: nothing unchecked leaves it, small questions are retried, and its end ends everything. */
import { describe, expect, it } from "vitest";
import { readSmallBlob } from "../../../src/client/fetching/read-blob.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { DOCKER_MANIFEST, MANIFEST_UNION, OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import { atDigest, parseReference } from "../../../src/oci/reference.ts";
import { registrySource } from "../../../src/upstream/registry/registry-source.ts";
import { placeImage } from "../../support/fake-images.ts";
import { digestOfPattern } from "../../support/pattern.ts";
import { sourceOf } from "../../support/source-of.ts";
import { clientOf, patient, startFake } from "../../support/start-upstream.ts";

const IMAGE = parseReference("fake.test/a/b:1");
const OTHER_BYTES = Buffer.from('{"schemaVersion":2,"layers":[]}');

describe("a manifest", () => {
  it("comes with its exact bytes, digest and type, by tag and by digest, for the union of types", async () => {
    const fake = await startFake({ mode: "plain" });
    const bytes = Buffer.from('{ "schemaVersion":2,\n\t"layers" :  [] }\n');
    const digest = fake.addManifest("a/b", "1", bytes, OCI_MANIFEST);
    const source = sourceOf(fake);
    for (const reference of [IMAGE, atDigest(IMAGE, digest), { ...IMAGE, digest }]) {
      const manifest = await source.manifest(reference);
      expect(manifest).toMatchObject({ digest, mediaType: OCI_MANIFEST });
      expect(Buffer.from(manifest.bytes).equals(bytes)).toBe(true);
    }
    expect(fake.requests[0]?.headers.accept).toBe(MANIFEST_UNION.join(", "));
    expect(fake.requests.map(({ reference }) => reference)).toEqual(["1", digest, digest]);
  });

  it("asked for by digest is refused when it is another one", async () => {
    const fake = await startFake({ mode: "plain" });
    const wanted = digestOf(Buffer.from("something else"));
    fake.contents.addManifest("a/b", undefined, {
      digest: wanted,
      mediaType: OCI_MANIFEST,
      bytes: OTHER_BYTES,
    });
    const asked = sourceOf(fake).manifest(atDigest(IMAGE, wanted));
    await expect(asked).rejects.toMatchObject({
      code: "digest-mismatch",
      facts: { expected: wanted, found: digestOf(OTHER_BYTES) },
    });
  });

  it("asked for by tag is held to the digest that its registry states", async () => {
    const fake = await startFake({ mode: "plain" });
    fake.addManifest("a/b", "1", OTHER_BYTES, OCI_MANIFEST);
    const lie = digestOfPattern(1, 1);
    fake.fail(/manifests/, { kind: "headers", headers: { "docker-content-digest": lie } }, { times: 9 });
    await expect(sourceOf(fake).manifest(IMAGE)).rejects.toMatchObject({ code: "digest-mismatch" });
  });

  it("that is none is not taken, whatever its status says", async () => {
    const fake = await startFake({ mode: "plain" });
    for (const text of ["<html>log in</html>", "", "[]", '{"errors":[]}']) {
      fake.addManifest("a/b", "1", Buffer.from(text), "text/html");
      await expect(sourceOf(fake).manifest(IMAGE), text).rejects.toMatchObject({ code: "upstream-protocol" });
    }
  });

  it("that is not there is not found, with what was asked for", async () => {
    const fake = await startFake({ mode: "plain" });
    const source = sourceOf(fake);
    for (const asked of [source.manifest(IMAGE), source.headManifest(IMAGE)]) {
      await expect(asked).rejects.toMatchObject({
        code: "not-found",
        facts: { target: "fake.test/a/b:1" },
        message: expect.stringContaining("fake.test/a/b:1"),
      });
    }
  });

  it("is asked for again after a failure that another try can mend", async () => {
    const fake = await startFake({ mode: "plain" });
    const { digest } = placeImage(fake, "a/b", "1");
    fake.fail(/manifests/, { kind: "status", status: 503 });
    fake.fail(/manifests/, { kind: "reset" });
    expect((await sourceOf(fake).manifest(IMAGE)).digest).toBe(digest);
    expect(fake.count({ kind: "manifest" })).toBe(3);
  });
});

describe("a registry that takes us for an old Ollama", () => {
  const outdated = { unlessUserAgent: /^ollama\/0\.0\.0/, text: "requires a newer version of Ollama" };

  it("is asked as one without a version, where its upstream looks at user agents", async () => {
    const fake = await startFake({ mode: "ollama", settings: { outdated } });
    const { manifestDigest } = fake.addImage("library/gemma", "2b", { layers: [10] });
    const source = sourceOf(fake, { forwardUserAgent: true });
    const model = parseReference("registry.ollama.ai/library/gemma:2b");
    await expect(source.manifest(model)).resolves.toMatchObject({ digest: manifestDigest });
    await expect(source.headManifest(model)).resolves.toMatchObject({ digest: manifestDigest });
    expect(fake.requests[0]?.headers["user-agent"]).toBe("granary/test");
  });

  it("elsewhere its refusal stands", async () => {
    const fake = await startFake({ mode: "plain", settings: { outdated } });
    fake.addImage("a/b", "1", { layers: [10] });
    await expect(sourceOf(fake).manifest(IMAGE)).rejects.toMatchObject({ code: "client-outdated" });
  });
});

describe("the head of a manifest", () => {
  it("costs one HEAD and no body", async () => {
    const fake = await startFake({ mode: "plain" });
    const { manifestDigest } = fake.addImage("a/b", "1", { layers: [10] });
    const size = fake.contents.manifestIn("a/b", "1")?.bytes.length;
    const head = await sourceOf(fake).headManifest(IMAGE);
    expect(head).toEqual({ digest: manifestDigest, mediaType: DOCKER_MANIFEST, size });
    expect(fake.requests.map(({ method }) => method)).toEqual(["HEAD"]);
  });

  it.each([
    { "docker-content-digest": null },
    { "docker-content-digest": "md5:1" },
    { "content-type": null },
    { "content-type": "application/json" },
    { "content-type": "text/plain; charset=utf-8" },
    { "content-length": null },
  ])("is told from the bytes where the registry leaves it open: %j", async (headers) => {
    const fake = await startFake({ mode: "plain" });
    const { manifestDigest } = fake.addImage("a/b", "1", { layers: [10] });
    const size = fake.contents.manifestIn("a/b", "1")?.bytes.length;
    fake.fail(/manifests/, { kind: "headers", headers }, { method: "HEAD" });
    const head = await sourceOf(fake).headManifest(IMAGE);
    expect(head).toEqual({ digest: manifestDigest, mediaType: DOCKER_MANIFEST, size });
    expect(fake.requests.map(({ method }) => method)).toEqual(["HEAD", "GET"]);
  });

  it("of a digest is that digest, or the bytes decide", async () => {
    const fake = await startFake({ mode: "plain" });
    const { manifestDigest: digest } = fake.addImage("a/b", "1", { layers: [10] });
    const lie = { "docker-content-digest": digestOfPattern(1, 1) };
    fake.fail(/manifests/, { kind: "headers", headers: lie }, { method: "HEAD" });
    expect(await sourceOf(fake).headManifest(atDigest(IMAGE, digest))).toMatchObject({ digest });
    expect(fake.count({ method: "GET" })).toBe(1);
  });
});

describe("a blob", () => {
  it("has a size that a HEAD tells, and bytes that come by an Origin of its registry and repository", async () => {
    const fake = await startFake({ mode: "plain" });
    const digest = fake.addGeneratedBlob({ seed: 3, size: 1_000 }, "a/b");
    const source = sourceOf(fake);
    expect(await source.blobSize(IMAGE, digest)).toBe(1_000);
    const origin = source.origin(IMAGE, digest);
    expect(origin.name).toContain("fake.test");
    const bytes = await readSmallBlob(source, IMAGE, { digest, size: 1_000 }, 1_000);
    expect(digestOf(bytes)).toBe(digest);
    expect(source.isLocal).toBe(false);
  });

  it("that is not there is not found", async () => {
    const fake = await startFake({ mode: "plain" });
    const source = sourceOf(fake);
    const digest = digestOfPattern(3, 3);
    await expect(source.blobSize(IMAGE, digest)).rejects.toMatchObject({ code: "not-found" });
    const opened = source.origin(IMAGE, digest).open({ start: 0, end: 3 }, patient);
    await expect(opened).rejects.toMatchObject({ code: "not-found" });
  });

  it("asks nobody before it is opened", async () => {
    const fake = await startFake({ mode: "plain" });
    sourceOf(fake).origin(IMAGE, digestOfPattern(3, 3));
    expect(fake.requests).toEqual([]);
  });
});

describe("a Source of registries", () => {
  it("makes one client for each registry, when it is first asked for", async () => {
    const fake = await startFake({ mode: "plain" });
    for (const repository of ["a/b", "c/d"]) placeImage(fake, repository, "1");
    const made: string[] = [];
    const source = registrySource((registry) => {
      made.push(registry);
      return clientOf(fake, { name: registry }).client;
    });
    expect(made).toEqual([]);
    await source.manifest(IMAGE);
    await source.manifest(parseReference("fake.test/c/d:1"));
    await source.manifest(parseReference("other.test/c/d:1"));
    expect(made).toEqual(["fake.test", "other.test"]);
    await source.close();
  });

  it("ends what is under way when it is closed, twice without harm, and answers nothing after", async () => {
    const fake = await startFake({ mode: "plain" });
    const size = 2 ** 20;
    const digest = fake.addGeneratedBlob({ seed: 3, size }, "a/b");
    fake.fail(/manifests/, { kind: "hang" });
    fake.fail(/blobs/, { kind: "stall", afterBytes: 1_000 });
    const source = sourceOf(fake);
    const blob = await source.origin(IMAGE, digest).open({ start: 0, end: size }, patient);
    const read = async () => {
      for await (const _ of blob.body);
    };
    const waiting = [
      expect(source.manifest(IMAGE)).rejects.toMatchObject({ code: "closed" }),
      expect(read()).rejects.toMatchObject({ code: "closed" }),
    ];
    await expect.poll(() => fake.count({ kind: "manifest" })).toBe(1);
    await Promise.all([source.close(), source.close()]);
    await Promise.all(waiting);
    await expect(source.manifest(IMAGE)).rejects.toMatchObject({ code: "closed" });
    await expect(source.blobSize(IMAGE, digest)).rejects.toMatchObject({ code: "closed" });
    expect(() => source.origin(IMAGE, digest)).toThrow(expect.objectContaining({ code: "closed" }));
    await expect.poll(() => fake.connections).toBe(0);
  });
});
