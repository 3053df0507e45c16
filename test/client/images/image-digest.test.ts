/** Shows which digest is told for a reference, what of, and how little is asked for it. */
import { describe, expect, it } from "vitest";
import { imageDigestFrom } from "../../../src/client/images/image-digest.ts";
import { parsePlatform } from "../../../src/oci/platform.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { placeImage, placeIndex, placeIndexOf } from "../../support/fake-images.ts";
import type { FakeRegistry } from "../../support/fake-registry.ts";
import { sourceOf } from "../../support/source-of.ts";
import { startFake } from "../../support/start-upstream.ts";

const PLATFORMS = ["linux/amd64", "linux/arm64/v8"];

function digestOf(fake: FakeRegistry, text: string, platform?: string) {
  const options = platform === undefined ? {} : { platform: parsePlatform(platform) };
  return imageDigestFrom(sourceOf(fake), parseReference(`fake.test/${text}`), options);
}

function asked(fake: FakeRegistry): string[] {
  return fake.requests.map(({ method, kind }) => `${method} ${kind}`);
}

describe("without a platform", () => {
  it("a tag of an index is the index, for one HEAD", async () => {
    const fake = await startFake({ mode: "plain" });
    placeIndexOf(fake, "a/b", "1", PLATFORMS);
    const digest = fake.contents.manifestIn("a/b", "1")?.digest;
    expect(await digestOf(fake, "a/b:1")).toEqual({ digest, kind: "index" });
    expect(asked(fake)).toEqual(["HEAD manifest"]);
  });

  it("a tag of an image is the image, for one HEAD", async () => {
    const fake = await startFake({ mode: "plain" });
    const { digest } = placeImage(fake, "a/b", "1", { platform: "linux/amd64" });
    expect(await digestOf(fake, "a/b:1")).toEqual({ digest, kind: "image" });
    expect(asked(fake)).toEqual(["HEAD manifest"]);
  });

  it.each(["docker-content-digest", "content-type"])(
    "a HEAD without %s is followed by a GET",
    async (header) => {
      const fake = await startFake({ mode: "plain" });
      placeIndexOf(fake, "a/b", "1", PLATFORMS);
      const digest = fake.contents.manifestIn("a/b", "1")?.digest;
      fake.fail(/manifests/, { kind: "headers", headers: { [header]: null } }, { times: 2 });
      expect(await digestOf(fake, "a/b:1")).toEqual({ digest, kind: "index" });
      expect(asked(fake)).toEqual(["HEAD manifest", "GET manifest"]);
    },
  );

  it("a registry that never tells digests is asked for the bytes, which are hashed", async () => {
    const fake = await startFake({ mode: "ollama" });
    const { manifestDigest } = fake.addImage("library/gemma", "2b", { layers: [10] });
    const told = await digestOf(fake, "library/gemma:2b");
    expect(told).toEqual({ digest: manifestDigest, kind: "image" });
  });

  it("what is not there is not found", async () => {
    const fake = await startFake({ mode: "plain" });
    await expect(digestOf(fake, "a/b:1")).rejects.toMatchObject({ code: "not-found" });
  });
});

describe("with a platform", () => {
  it("it is the child of the index, for one GET", async () => {
    const fake = await startFake({ mode: "plain" });
    const digests = placeIndexOf(fake, "a/b", "1", PLATFORMS);
    expect(await digestOf(fake, "a/b:1", "linux/arm64")).toEqual({
      digest: digests.get("linux/arm64/v8"),
      kind: "image",
      platform: { os: "linux", architecture: "arm64", variant: "v8" },
    });
    expect(asked(fake)).toEqual(["GET manifest"]);
  });

  it("that an index lacks it is not found, with those that it has", async () => {
    const fake = await startFake({ mode: "plain" });
    placeIndexOf(fake, "a/b", "1", PLATFORMS);
    await expect(digestOf(fake, "a/b:1", "linux/s390x")).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining("linux/amd64, linux/arm64/v8"),
    });
  });

  it("a single image is its own, when its config says so", async () => {
    const fake = await startFake({ mode: "plain" });
    const { digest } = placeImage(fake, "a/b", "1", { platform: "linux/amd64" });
    const platform = parsePlatform("linux/amd64");
    expect(await digestOf(fake, "a/b:1", "linux/amd64")).toEqual({ digest, kind: "image", platform });
    await expect(digestOf(fake, "a/b:1", "linux/arm64")).rejects.toMatchObject({ code: "not-found" });
  });

  it("an index in the index is followed to its image", async () => {
    const fake = await startFake({ mode: "plain" });
    const platform = "linux/arm64";
    const { digest, ...child } = placeImage(fake, "a/b", undefined, { platform });
    const inner = placeIndex(fake, "a/b", undefined, [{ ...child, digest, platform }]);
    placeIndex(fake, "a/b", "1", [{ ...inner, platform }]);
    expect(await digestOf(fake, "a/b:1", platform)).toMatchObject({ digest, kind: "image" });
  });
});
