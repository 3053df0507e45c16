/** Shows that manifests reach the client as they are, checked, and asked for once. */
import { describe, expect, it } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { MAX_MANIFEST_BYTES as LIMIT } from "../../src/oci/manifest.ts";
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from "../../src/oci/media-types.ts";
import { startWorld } from "../support/mirror-world.ts";

/** A manifest as nobody would format it: every byte of it counts. */
function oddManifest(extra: Record<string, unknown> = {}): Buffer {
  const text = JSON.stringify(
    { layers: [], schemaVersion: 2, config: { size: 2, digest: digestOf(Buffer.from("{}")) }, ...extra },
    null,
    3,
  );
  return Buffer.from(`\uFEFF\n${text}\t\n\n`);
}

describe("a repository that is called as a host is", () => {
  it.each(["my.group/app", "localhost/app", "my.app"])("%s is served like any other", async (repository) => {
    const world = await startWorld();
    const image = world.fake.addImage(repository, "1", { layers: [10] });
    expect((await world.get(repository, "1")).manifest.digest).toBe(image.manifestDigest);
    expect(await world.read(repository, image.configDigest)).not.toHaveLength(0);
    expect((await world.tags(repository)).body).toContain('"1"');
  });

  it("is not there: who meant a registry hears what to do", async () => {
    const world = await startWorld();
    const advice = /If "quay.example" is a registry, add it under "upstreams"/;
    await expect(world.get("quay.example/app", "1")).rejects.toThrow(advice);
    await expect(world.tags("quay.example/app")).rejects.toThrow(advice);
    await expect(world.get("team/app", "1")).rejects.toThrow(
      /is not there, or is private\. The registry says: [^"]*\.$/,
    );
  });
});

describe("bytes", () => {
  it("GET and HEAD by tag and by digest tell the same digest, type and size", async () => {
    const world = await startWorld();
    const { manifestDigest } = world.fake.addImage("library/alpine", "3", { layers: [10] });
    for (const reference of ["3", manifestDigest]) {
      const { manifest } = await world.get("library/alpine", reference);
      const head = await world.head("library/alpine", reference);
      expect(manifest).toMatchObject({ digest: manifestDigest, mediaType: DOCKER_MANIFEST });
      expect(head).toMatchObject({
        digest: manifestDigest,
        mediaType: manifest.mediaType,
        size: manifest.bytes.length,
      });
    }
  });

  it("a cold HEAD tells what the GET after it tells, also where the header and the document disagree", async () => {
    const world = await startWorld();
    world.fake.addManifest("a/b", "1", oddManifest({ mediaType: OCI_MANIFEST }), DOCKER_MANIFEST);
    const { manifest } = await world.get("a/b", "1");
    expect(manifest.mediaType).toBe(OCI_MANIFEST);
    expect(await world.head("a/b", "1")).toMatchObject({ mediaType: OCI_MANIFEST });
    world.clock.aheadMs += 600_001;
    expect(await world.head("a/b", "1")).toMatchObject({ mediaType: OCI_MANIFEST, outcome: "revalidated" });
  });

  it("odd whitespace, key order and a byte order mark survive, in memory and over a restart", async () => {
    const world = await startWorld();
    const bytes = oddManifest();
    const digest = world.fake.addManifest("a/b", "1", bytes, OCI_MANIFEST);
    for (const pass of ["cold", "from memory", "after a restart"]) {
      if (pass === "after a restart") await world.restart();
      const { manifest } = await world.get("a/b", "1");
      expect(Buffer.from(manifest.bytes).equals(bytes), pass).toBe(true);
      expect(manifest.digest).toBe(digest);
    }
    expect(world.fake.count({ kind: "manifest", method: "GET" })).toBe(1);
  });

  it("computes the digest where the upstream names none", async () => {
    const world = await startWorld();
    const { manifestDigest } = world.fake.addImage("a/b", "1", { layers: [10] });
    const silent = { kind: "headers", headers: { "docker-content-digest": null, etag: null } } as const;
    world.fake.fail(/manifests/, silent, { times: 10 });
    expect(await world.head("a/b", "1")).toMatchObject({ digest: manifestDigest, outcome: "miss" });
    expect((await world.get("a/b", "1")).manifest.digest).toBe(manifestDigest);
  });

  it.each(["text/plain", "application/json", "application/octet-stream", "text/html; charset=utf-8"])(
    "takes the type from the document where the upstream says %s",
    async (contentType) => {
      const world = await startWorld();
      const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: DOCKER_LIST, manifests: [] }));
      world.fake.addManifest("a/b", "list", index, contentType);
      world.fake.addManifest("a/b", "plain", oddManifest(), contentType);
      expect((await world.head("a/b", "list")).mediaType).toBe(DOCKER_LIST);
      expect((await world.get("a/b", "plain")).manifest.mediaType).toBe(OCI_MANIFEST);
    },
  );

  it("passes 16 MiB and refuses one byte more, without keeping it", async () => {
    const world = await startWorld();
    const bytes = (size: number) => {
      const bare = oddManifest({ filler: "" }).length;
      return oddManifest({ filler: "x".repeat(size - bare) });
    };
    world.fake.addManifest("a/b", "fits", bytes(LIMIT), OCI_MANIFEST);
    const tooBig = world.fake.addManifest("a/b", "big", bytes(LIMIT + 1), OCI_MANIFEST);
    expect((await world.get("a/b", "fits")).manifest.bytes).toHaveLength(LIMIT);
    await expect(world.get("a/b", "big")).rejects.toMatchObject({ code: "upstream-protocol" });
    expect(await world.metadata.manifest(tooBig)).toBeUndefined();
  });

  it("sha512 works by digest, and as the upstream's name for a tag", async () => {
    const world = await startWorld();
    const bytes = oddManifest();
    const digest = digestOf(bytes, "sha512");
    world.fake.contents.addManifest("a/b", "1", { digest, mediaType: OCI_MANIFEST, bytes });
    expect((await world.get("a/b", "1")).manifest.digest).toBe(digest);
    expect((await world.get("a/b", digest)).outcome).toBe("hit");
    expect(await world.head("a/b", digest)).toMatchObject({ digest, size: bytes.length });
  });

  it("refuses bytes with another digest, keeps nothing of them, and asks again", async () => {
    const world = await startWorld();
    const { manifestDigest } = world.fake.addImage("a/b", "1", { layers: [10] });
    for (const reference of [manifestDigest, "1"]) {
      world.fake.fail(/manifests/, { kind: "flip", offset: 20 }, { method: "GET" });
      await expect(world.get("a/b", reference)).rejects.toMatchObject({ code: "digest-mismatch" });
      expect(await world.metadata.manifest(manifestDigest)).toBeUndefined();
    }
    expect((await world.get("a/b", manifestDigest)).manifest.digest).toBe(manifestDigest);
  });

  it("a HEAD by digest that is answered for another digest is refused", async () => {
    const world = await startWorld();
    const { manifestDigest } = world.fake.addImage("a/b", "1", { layers: [10] });
    const other = digestOf(Buffer.from("another one"));
    world.fake.fail(/manifests/, { kind: "headers", headers: { "docker-content-digest": other } });
    await expect(world.head("a/b", manifestDigest)).rejects.toMatchObject({ code: "digest-mismatch" });
  });

  it("refuses a document that is index and image at once, and keeps nothing of it", async () => {
    const world = await startWorld();
    const digest = world.fake.addManifest("a/b", "1", oddManifest({ manifests: [] }), OCI_INDEX);
    for (const reference of ["1", digest]) {
      await expect(world.get("a/b", reference)).rejects.toMatchObject({ code: "upstream-protocol" });
    }
    expect(await world.metadata.manifest(digest)).toBeUndefined();
    expect(await world.metadata.tag({ ...tagOf("a/b", "1") })).toBeUndefined();
  });

  it("a gzipped answer is refused, never kept", async () => {
    const world = await startWorld();
    const { manifestDigest } = world.fake.addImage("a/b", "1", { layers: [10] });
    world.fake.fail(/manifests/, { kind: "gzip" }, { times: 1 });
    await expect(world.get("a/b", "1")).rejects.toMatchObject({ code: "upstream-protocol" });
    expect(await world.metadata.manifest(manifestDigest)).toBeUndefined();
    expect(world.fake.requests[0]?.headers["accept-encoding"]).toBe("identity");
  });
});

describe("one request for many", () => {
  it("20 GETs of one cold tag are one upstream request, and 20 HEADs too", async () => {
    const world = await startWorld();
    world.fake.addImage("a/b", "1", { layers: [10] });
    world.fake.addImage("a/b", "2", { layers: [20] });
    const answers = await Promise.all(Array.from({ length: 20 }, () => world.get("a/b", "1")));
    expect(new Set(answers.map(({ manifest }) => manifest.digest)).size).toBe(1);
    await Promise.all(Array.from({ length: 20 }, () => world.head("a/b", "2")));
    expect(world.fake.count({ method: "GET" })).toBe(1);
    expect(world.fake.count({ method: "HEAD" })).toBe(1);
  });

  it("20 GETs of one cold digest are one upstream request", async () => {
    const world = await startWorld();
    const { manifestDigest } = world.fake.addImage("a/b", "1", { layers: [10] });
    await Promise.all(Array.from({ length: 20 }, () => world.get("a/b", manifestDigest)));
    expect(world.fake.count({ kind: "manifest" })).toBe(1);
  });

  it("a HEAD and the GET after it are one upstream HEAD and one GET, by digest", async () => {
    const world = await startWorld();
    const { manifestDigest } = world.fake.addImage("a/b", "1", { layers: [10] });
    await world.head("a/b", "1");
    await Promise.all([world.get("a/b", "1"), world.get("a/b", manifestDigest)]);
    expect(world.fake.requests.map(({ method, reference }) => [method, reference])).toEqual([
      ["HEAD", "1"],
      ["GET", manifestDigest],
    ]);
  });
});

describe("not there", () => {
  it("an absent tag, repository or signature tag is not-found", async () => {
    const world = await startWorld();
    world.fake.addImage("a/b", "1", { layers: [10] });
    for (const [repository, tag] of [
      ["a/b", "none"],
      ["a/none", "1"],
      ["a/none", `sha256-${"0".repeat(64)}.sig`],
    ] as const) {
      await expect(world.get(repository, tag)).rejects.toMatchObject({ code: "not-found" });
      await expect(world.head(repository, tag)).rejects.toMatchObject({ code: "not-found" });
    }
  });

  it("a 401 after a fresh token is not-found", async () => {
    const world = await startWorld({ mode: "hub" });
    await expect(world.get("library/none", "1")).rejects.toMatchObject({ code: "not-found" });
    await expect(world.tags("library/none")).rejects.toMatchObject({ code: "not-found" });
  });

  it("is believed for as long as the policy says, and no longer", async () => {
    const world = await startWorld({ upstream: { policy: { negativeLifetimeMs: 5_000 } } });
    await expect(world.get("a/b", "1")).rejects.toMatchObject({ code: "not-found" });
    world.fake.addImage("a/b", "1", { layers: [10] });
    world.clock.aheadMs += 4_000;
    await expect(world.get("a/b", "1")).rejects.toMatchObject({ code: "not-found" });
    expect(world.fake.count({ kind: "manifest" })).toBe(1);
    world.clock.aheadMs += 1_001;
    expect((await world.get("a/b", "1")).outcome).toBe("miss");
  });

  it("is not believed at all where the policy says 0", async () => {
    const world = await startWorld({ upstream: { policy: { negativeLifetimeMs: 0 } } });
    await expect(world.head("a/b", "1")).rejects.toMatchObject({ code: "not-found" });
    world.fake.addImage("a/b", "1", { layers: [10] });
    expect((await world.head("a/b", "1")).outcome).toBe("miss");
  });
});

describe("several repositories", () => {
  it("a stored manifest is served by digest only where the upstream says that the repository has it", async () => {
    const world = await startWorld();
    const { manifestDigest } = world.fake.addImage("a/one", "1", { layers: [10] });
    world.fake.addImage("a/two", "1", { layers: [20], seed: 9 });
    await world.get("a/one", "1");
    await expect(world.get("a/two", manifestDigest)).rejects.toMatchObject({ code: "not-found" });
    await expect(world.head("a/two", manifestDigest)).rejects.toMatchObject({ code: "not-found" });
    world.fake.addImage("a/three", "1", { layers: [10] });
    expect((await world.get("a/three", manifestDigest)).outcome).toBe("hit");
    expect(world.fake.count({ repository: "a/three", method: "GET" })).toBe(0);
  });
});

function tagOf(repository: string, tag: string) {
  return { upstream: "fake.test", repository, tag, acceptClass: "" };
}
