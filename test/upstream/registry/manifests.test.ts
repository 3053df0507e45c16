/** Owns the tests of questions about manifests: bytes as they are, limits, and what the headers tell. */

import { describe, expect, it } from "vitest";
import { digestOf } from "../../../src/oci/digest.ts";
import { DOCKER_MANIFEST, MANIFEST_UNION, OCI_INDEX, OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import type { Fault } from "../../support/fake-registry.ts";
import { room } from "../../support/room.ts";
import { askFor, clientOf, startFake, startUpstream } from "../../support/start-upstream.ts";

describe("a manifest", () => {
  it("comes with its exact bytes, by tag and by digest", async () => {
    const { fake, client } = await startUpstream({ mode: "plain" });
    const bytes = Buffer.from('{ "schemaVersion":2,\n\t"odd" :  "whitespace" }\n');
    const digest = fake.addManifest("x/y", "z", bytes, OCI_MANIFEST);
    const expected = { digest, mediaType: OCI_MANIFEST, size: bytes.length };
    expect(await client.headManifest(askFor("x/y", "z"))).toEqual(expected);
    const body = await client.getManifest(askFor("x/y", digest));
    expect(body).toMatchObject(expected);
    expect(Buffer.from(body?.bytes ?? []).equals(bytes)).toBe(true);
  });

  it("is asked for over one connection, time after time: a HEAD costs no new handshake", async () => {
    const { fake, client } = await startUpstream({ mode: "plain" });
    fake.addImage("x", "y", { layers: [1] });
    for (let time = 0; time < 4; time++) {
      await client.headManifest(askFor("x", "y"));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(new Set(fake.requests.map(({ connection }) => connection)).size).toBe(1);
  });

  it("is asked for with the union of types, in order, and one fixed user agent", async () => {
    const { fake, client } = await startUpstream({ mode: "plain" }, {}, { userAgent: "granary/9.9" });
    fake.addImage("x", "y", { layers: [1] });
    await client.getManifest(askFor("x", "y", "docker/29"));
    expect(fake.requests[0]?.headers).toMatchObject({
      accept: MANIFEST_UNION.join(", "),
      "user-agent": "granary/9.9",
      "accept-encoding": "identity",
    });
  });

  it("carries the client's user agent where the upstream answers by it", async () => {
    const { fake, client } = await startUpstream(
      { mode: "ollama" },
      { forwardUserAgent: true },
      { userAgent: "granary/9.9" },
    );
    fake.addImage("library/llama3.2", "latest", { layers: [1] });
    await client.headManifest(askFor("library/llama3.2", "latest", "ollama/0.32.15"));
    await client.headManifest(askFor("library/llama3.2", "latest"));
    expect(fake.requests.map(({ headers }) => headers["user-agent"])).toEqual([
      "ollama/0.32.15",
      "granary/9.9",
    ]);
  });

  it("has no parameters in its media type, and no digest where the header is no digest", async () => {
    const { fake, client } = await startUpstream({ mode: "plain" });
    fake.addImage("x", "y", { layers: [1] });
    fake.fail(/manifests/, {
      kind: "headers",
      headers: { "content-type": "Text/Plain; charset=utf-8", "docker-content-digest": "md5:abc" },
    });
    expect(await client.headManifest(askFor("x", "y"))).toMatchObject({
      digest: undefined,
      mediaType: "text/plain",
    });
    fake.fail(/manifests/, {
      kind: "headers",
      headers: { "content-type": null, "docker-content-digest": null, "content-length": null },
    });
    expect(await client.headManifest(askFor("x", "y"))).toEqual({
      digest: undefined,
      mediaType: undefined,
      size: undefined,
    });
  });

  it("is fetched where the registry does not know HEAD", async () => {
    const { fake, client } = await startUpstream({ mode: "plain" });
    const { manifestDigest } = fake.addImage("x", "y", { layers: [1] });
    fake.fail(/manifests/, { kind: "status", status: 405 }, { method: "HEAD" });
    expect((await client.headManifest(askFor("x", "y")))?.digest).toBe(manifestDigest);
    expect(fake.requests.map(({ method }) => method)).toEqual(["HEAD", "GET"]);
  });

  it("may be exactly 16 MiB long, and not a byte longer", async () => {
    const { fake, client } = await startUpstream({ mode: "plain" });
    const longest = Buffer.alloc(16 * 2 ** 20, 0x20);
    fake.addManifest("x", "longest", longest, OCI_MANIFEST);
    fake.addManifest("x", "longer", Buffer.alloc(16 * 2 ** 20 + 1, 0x20), OCI_MANIFEST);
    expect((await client.getManifest(askFor("x", "longest")))?.bytes).toHaveLength(longest.length);
    await expect(client.getManifest(askFor("x", "longer"))).rejects.toMatchObject({
      code: "upstream-protocol",
    });
  });

  it("that never ends is given up after 16 MiB, with its connection", async () => {
    const { fake, client } = await startUpstream({ mode: "plain" });
    fake.addImage("x", "y", { layers: [1] });
    fake.fail(/manifests/, { kind: "endless" });
    await expect(client.getManifest(askFor("x", "y"))).rejects.toMatchObject({ code: "upstream-protocol" });
    await expect.poll(() => fake.connections).toBe(0);
  });

  it("that is compressed is refused, never stored as it is", async () => {
    const { fake, client } = await startUpstream({ mode: "plain" });
    fake.addImage("x", "y", { layers: [1] });
    fake.fail(/manifests/, { kind: "gzip" });
    await expect(client.getManifest(askFor("x", "y"))).rejects.toMatchObject({
      code: "upstream-protocol",
      message: expect.stringContaining("Content-Encoding gzip"),
    });
  });

  it("that is cut off is asked for again", async () => {
    const { fake, client } = await startUpstream({ mode: "plain" });
    const { manifestDigest } = fake.addImage("x", "y", { layers: [1] });
    fake.fail(/manifests/, { kind: "cut", afterBytes: 10 });
    const body = await client.getManifest(askFor("x", "y"));
    expect(digestOf(body?.bytes ?? new Uint8Array())).toBe(manifestDigest);
  });

  it("is client-outdated with the upstream's words for a 412", async () => {
    const outdated = { unlessUserAgent: /ollama\/0\.4/, text: "\nPlease download the latest version.\n" };
    const { fake, client } = await startUpstream(
      { mode: "ollama", settings: { outdated } },
      { forwardUserAgent: true },
    );
    fake.addImage("library/x", "y", { layers: [1] });
    await expect(client.getManifest(askFor("library/x", "y", "ollama/0.1"))).rejects.toMatchObject({
      code: "client-outdated",
      facts: { upstreamText: "Please download the latest version." },
    });
    expect(await client.getManifest(askFor("library/x", "y", "ollama/0.4"))).toMatchObject({
      mediaType: "text/plain",
    });
  });

  it("of another type is chosen by Docker Hub when only Docker types are asked for", async () => {
    const { fake, client } = await startUpstream({ mode: "hub" });
    const { manifestDigest } = fake.addImage("library/a", undefined, { layers: [1], format: "oci" });
    fake.addIndex("library/a", "1", [{ digest: manifestDigest, platform: "linux/amd64" }]);
    expect((await client.headManifest(askFor("library/a", "1")))?.mediaType).toBe(OCI_INDEX);
    const old = { ...askFor("library/a", "1"), accept: [DOCKER_MANIFEST] };
    expect(await client.headManifest(old)).toBeUndefined();
  });
});

describe("the size of a blob", () => {
  it.each(["direct", "redirect"] as const)("is told by HEAD (%s), without a body", async (headBlob) => {
    const { fake, client } = await startUpstream({ mode: "hub", settings: { headBlob } });
    const digest = fake.addGeneratedBlob({ seed: 1, size: 5_000_000 });
    expect(await client.headBlob("library/x", digest)).toMatchObject({ size: 5_000_000 });
    expect(fake.bytesSentFor(digest)).toBe(0);
    expect(fake.violations).toEqual([]);
  });

  it.each<[string, Fault]>([
    ["has no length", { kind: "headers", headers: { "content-length": null } }],
    ["is not known", { kind: "status", status: 405 }],
    ["is refused", { kind: "status", status: 403 }],
  ])("is told by one byte when HEAD %s", async (_why, fault) => {
    const { fake, client } = await startUpstream({ mode: "plain" });
    const digest = fake.addGeneratedBlob({ seed: 1, size: 5_000_000 });
    fake.fail(/blobs/, fault, { method: "HEAD" });
    expect(await client.headBlob("x", digest)).toMatchObject({ size: 5_000_000 });
    expect(fake.matching({ method: "GET" }).map(({ range }) => range)).toEqual(["bytes=0-0"]);
    expect(fake.bytesSentFor(digest)).toBe(1);
  });

  it("is told even when ranges are ignored, without taking the blob in", async () => {
    const { fake, client } = await startUpstream({
      mode: "plain",
      settings: { bandwidth: { registry: 10_000_000, cdn: undefined } },
    });
    const digest = fake.addGeneratedBlob({ seed: 1, size: 50_000_000 });
    fake.fail(/blobs/, { kind: "status", status: 405 }, { method: "HEAD" });
    fake.fail(/blobs/, { kind: "ignore-range" });
    expect(await client.headBlob("x", digest)).toMatchObject({ size: 50_000_000 });
    await expect.poll(() => fake.connections).toBe(1);
    expect(fake.bytesSentFor(digest)).toBeLessThan(10_000_000);
  });

  it("of an empty blob is 0, and of an absent one is nothing", async () => {
    const { fake, client } = await startUpstream({ mode: "plain" });
    const empty = fake.addBlob(Buffer.alloc(0));
    expect(await client.headBlob("x", empty)).toMatchObject({ size: 0 });
    fake.fail(/blobs/, { kind: "status", status: 405 }, { method: "HEAD" });
    expect(await client.headBlob("x", empty)).toMatchObject({ size: 0 });
    expect(await client.headBlob("x", digestOf(Buffer.from("absent")))).toBeUndefined();
  });
});

describe("lists", () => {
  async function startTags(settings = {}) {
    const started = await startUpstream({ mode: "plain", settings });
    for (const tag of ["c", "a", "b"]) started.fake.addImage("x/y", tag, { layers: [1] });
    return started;
  }

  it.each(["relative", "absolute"] as const)("of tags come page by page (%s Link)", async (link) => {
    const { client } = await startTags({ link });
    const first = await client.tags("x/y", "n=2", room());
    expect(String(first?.body)).toBe('{"name":"x/y","tags":["a","b"]}');
    expect(first?.next).toBe("last=b&n=2");
    const second = await client.tags("x/y", "n=2&last=b", room());
    expect(String(second?.body)).toBe('{"name":"x/y","tags":["c"]}');
    expect(second?.next).toBeUndefined();
    expect(await client.tags("no/such", "", room())).toBeUndefined();
  });

  it("of tags are never an HTML page", async () => {
    const { fake, client } = await startTags();
    fake.fail(/tags/, { kind: "status", status: 200, body: "<html>Sign in</html>" });
    await expect(client.tags("x/y", "", room())).rejects.toMatchObject({ code: "upstream-protocol" });
  });

  it("of referrers come as they are", async () => {
    const { fake, client } = await startTags();
    const { manifestDigest } = fake.addImage("x/y", "a", { layers: [1] });
    const artifact = { schemaVersion: 2, artifactType: "t/t", subject: { digest: manifestDigest } };
    const digest = fake.addManifest("x/y", undefined, Buffer.from(JSON.stringify(artifact)), OCI_MANIFEST);
    const list = await client.referrers("x/y", manifestDigest, room());
    expect(JSON.parse(String(list?.body))).toMatchObject({
      mediaType: OCI_INDEX,
      manifests: [{ digest, artifactType: "t/t" }],
    });
  });

  it.each(["404", "html", "401"] as const)(
    "of referrers are nothing when the upstream answers %s",
    async (referrers) => {
      const { fake, client } = await startTags({ referrers });
      const { manifestDigest } = fake.addImage("x/y", "a", { layers: [1] });
      expect(await client.referrers("x/y", manifestDigest, room())).toBeUndefined();
    },
  );
});

describe("a closed client", () => {
  it("answers nothing more, ends what is under way, and lets its connections go", async () => {
    const fake = await startFake({ mode: "plain" });
    fake.addImage("x", "y", { layers: [1] });
    const { client } = clientOf(fake);
    await client.headManifest(askFor("x", "y"));
    fake.fail(/manifests/, { kind: "hang" });
    const hanging = expect(client.headManifest(askFor("x", "y"))).rejects.toMatchObject({ code: "closed" });
    await expect.poll(() => fake.count()).toBe(2);
    await client.close();
    await hanging;
    await expect(client.headManifest(askFor("x", "y"))).rejects.toMatchObject({ code: "closed" });
    await client.close();
    await expect.poll(() => fake.connections).toBe(0);
  });
});
