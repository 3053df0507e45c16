/** Shows how one image of one platform is found behind a reference, and what is refused on the way. */
import { describe, expect, it } from "vitest";
import { hostPlatform } from "../../../src/client/images/host-platform.ts";
import { imageFrom } from "../../../src/client/images/image.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { DOCKER_SCHEMA1, OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import { formatPlatform, parsePlatform } from "../../../src/oci/platform.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { placeImage, placeIndex, placeIndexOf } from "../../support/fake-images.ts";
import type { FakeRegistry } from "../../support/fake-registry.ts";
import { sourceOf } from "../../support/source-of.ts";
import { startFake } from "../../support/start-upstream.ts";

const HOST = formatPlatform(hostPlatform());
/** One that this machine surely is not. */
const FOREIGN = "linux/s390x";

function imageOf(fake: FakeRegistry, text: string, platform?: string) {
  const options = platform === undefined ? {} : { platform: parsePlatform(platform) };
  return imageFrom(sourceOf(fake), parseReference(`fake.test/${text}`), options);
}

describe("an index", () => {
  it.each(["linux/amd64", "linux/arm64", "linux/arm/v7"])("gives the child for %s", async (platform) => {
    const fake = await startFake({ mode: "plain" });
    const offered = ["linux/arm/v6", "linux/amd64", "linux/arm/v7", "linux/arm64"];
    const digests = placeIndexOf(fake, "a/b", "1", offered);
    const image = await imageOf(fake, "a/b:1", platform);
    expect(image.manifest.digest).toBe(digests.get(platform));
    expect(image.index?.digest).toBe(fake.contents.manifestIn("a/b", "1")?.digest);
    expect(image.config.platform).toEqual(parsePlatform(platform));
    expect(JSON.parse(Buffer.from(image.configBytes).toString())).toMatchObject({
      place: offered.indexOf(platform),
    });
    expect(image.warning).toBeUndefined();
  });

  it("gives Linux on this machine's architecture when nobody says", async () => {
    const fake = await startFake({ mode: "plain" });
    const digests = placeIndexOf(fake, "a/b", "1", ["windows/amd64", FOREIGN, HOST]);
    expect((await imageOf(fake, "a/b:1")).manifest.digest).toBe(digests.get(HOST));
  });

  it("may list an index, which lists images; one deeper is not followed", async () => {
    const fake = await startFake({ mode: "plain" });
    const child = placeImage(fake, "a/b", undefined, { platform: FOREIGN });
    const inner = placeIndex(fake, "a/b", undefined, [{ ...child, platform: FOREIGN }]);
    placeIndex(fake, "a/b", "two", [{ ...inner, platform: FOREIGN }]);
    const middle = placeIndex(fake, "a/b", undefined, [inner]);
    placeIndex(fake, "a/b", "plain-two", [inner]);
    placeIndex(fake, "a/b", "three", [middle]);
    expect((await imageOf(fake, "a/b:two", FOREIGN)).manifest.digest).toBe(child.digest);
    expect((await imageOf(fake, "a/b:plain-two", FOREIGN)).manifest.digest).toBe(child.digest);
    await expect(imageOf(fake, "a/b:three", FOREIGN)).rejects.toMatchObject({ code: "not-found" });
  });

  it("whose children say nothing is decided by their configs", async () => {
    const fake = await startFake({ mode: "plain" });
    const children = [HOST, FOREIGN].map((platform) => placeImage(fake, "a/b", undefined, { platform }));
    placeIndex(fake, "a/b", "1", children);
    expect((await imageOf(fake, "a/b:1", FOREIGN)).manifest.digest).toBe(children[1]?.digest);
    expect((await imageOf(fake, "a/b:1")).manifest.digest).toBe(children[0]?.digest);
    await expect(imageOf(fake, "a/b:1", "linux/mips64le")).rejects.toMatchObject({ code: "not-found" });
  });

  it("is believed where its child's config says less of the variant", async () => {
    const fake = await startFake({ mode: "plain" });
    const child = placeImage(fake, "a/b", undefined, { platform: "linux/arm" });
    placeIndex(fake, "a/b", "1", [{ ...child, platform: "linux/arm/v6" }]);
    expect((await imageOf(fake, "a/b:1", "linux/arm/v6")).manifest.digest).toBe(child.digest);
  });
});

describe("no match", () => {
  it("lists what there is, and nothing else", async () => {
    const fake = await startFake({ mode: "plain" });
    placeIndexOf(fake, "a/b", "1", ["linux/amd64", "linux/arm64/v8", "unknown/unknown"]);
    await expect(imageOf(fake, "a/b:1", FOREIGN)).rejects.toMatchObject({
      code: "not-found",
      message:
        "There is no linux/s390x image of fake.test/a/b:1: it is made for linux/amd64, linux/arm64/v8.",
    });
  });

  it("is told of an empty index too", async () => {
    const fake = await startFake({ mode: "plain" });
    placeIndex(fake, "a/b", "1", []);
    await expect(imageOf(fake, "a/b:1")).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining("no platform that it names"),
    });
  });
});

it("an attestation is never chosen, also when there is nothing else", async () => {
  const fake = await startFake({ mode: "plain" });
  const attestation = {
    ...placeImage(fake, "a/b", undefined, { config: { attests: true } }),
    platform: HOST,
    annotations: { "vnd.docker.reference.type": "attestation-manifest" },
  };
  const image = { ...placeImage(fake, "a/b", undefined, { platform: HOST }), platform: HOST };
  placeIndex(fake, "a/b", "both", [attestation, image]);
  placeIndex(fake, "a/b", "alone", [attestation]);
  placeIndex(fake, "a/b", "unknown", [{ ...attestation, platform: "unknown/unknown", annotations: {} }]);
  expect((await imageOf(fake, "a/b:both")).manifest.digest).toBe(image.digest);
  await expect(imageOf(fake, "a/b:alone")).rejects.toMatchObject({ code: "not-found" });
  await expect(imageOf(fake, "a/b:unknown")).rejects.toMatchObject({ code: "not-found" });
});

describe("a single manifest", () => {
  it("of another platform than asked for is refused by its config", async () => {
    const fake = await startFake({ mode: "plain" });
    placeImage(fake, "a/b", "1", { platform: HOST });
    await expect(imageOf(fake, "a/b:1", FOREIGN)).rejects.toMatchObject({
      code: "not-found",
      message: `There is no ${FOREIGN} image of fake.test/a/b:1: it is made for ${HOST} only.`,
    });
    expect((await imageOf(fake, "a/b:1", HOST)).warning).toBeUndefined();
  });

  it("of another platform than this machine's is taken with a warning when none was asked for", async () => {
    const fake = await startFake({ mode: "plain" });
    const { digest } = placeImage(fake, "a/b", "1", { platform: FOREIGN });
    const image = await imageOf(fake, "a/b:1");
    expect(image.manifest.digest).toBe(digest);
    expect(image.index).toBeUndefined();
    expect(image.warning).toContain(`made for ${FOREIGN} only`);
    expect((await imageOf(fake, `a/b@${digest}`, FOREIGN)).warning).toBeUndefined();
  });

  it("alone in an index that names no platform is checked like one that stands alone", async () => {
    const fake = await startFake({ mode: "plain" });
    placeIndex(fake, "a/b", "1", [placeImage(fake, "a/b", undefined, { platform: FOREIGN })]);
    expect((await imageOf(fake, "a/b:1")).warning).toContain(FOREIGN);
    await expect(imageOf(fake, "a/b:1", "linux/mips64le")).rejects.toMatchObject({ code: "not-found" });
  });
});

describe("an artifact", () => {
  it.each([
    ["an empty JSON object", Buffer.from("{}"), "application/vnd.oci.empty.v1+json"],
    ["nothing at all", Buffer.alloc(0), "application/vnd.unknown.config.v1+json"],
    ["no JSON", Buffer.from("a: 1\n"), "application/vnd.acme.config.v1+yaml"],
    ["odd fields", Buffer.from('{"os":1,"rootfs":{"diff_ids":[7]}}'), "application/vnd.acme.config.v1+json"],
  ])(
    "with %s for a config is an image of an unknown platform, asked for or not",
    async (_what, config, type) => {
      const fake = await startFake({ mode: "plain" });
      const layers = [{ bytes: Buffer.from("model"), mediaType: "application/vnd.acme.model" }];
      placeImage(fake, "a/b", "1", { config, configType: type, layers });
      for (const platform of [undefined, FOREIGN]) {
        const image = await imageOf(fake, "a/b:1", platform);
        expect(image.config.platform).toEqual({ os: "unknown", architecture: "unknown" });
        expect(image.config.diffIds).toEqual([]);
        expect(image.view.artifactType).toBe(type);
        expect(Buffer.from(image.configBytes).equals(config)).toBe(true);
        expect(image.warning).toBeUndefined();
      }
    },
  );

  it("with a config that is a JSON object keeps what it says", async () => {
    const fake = await startFake({ mode: "plain" });
    placeImage(fake, "a/b", "1", { config: { name: "chart" }, configType: "application/vnd.acme.v1+json" });
    expect((await imageOf(fake, "a/b:1")).config.document).toEqual({ name: "chart" });
  });
});

describe("what cannot be right is refused", () => {
  it("an image's config that is no JSON object, or lists a diff ID that is none", async () => {
    const fake = await startFake({ mode: "plain" });
    placeImage(fake, "a/b", "text", { config: Buffer.from("hello") });
    placeImage(fake, "a/b", "diff", { config: { rootfs: { diff_ids: ["sha256:1"] } } });
    for (const tag of ["text", "diff"]) {
      await expect(imageOf(fake, `a/b:${tag}`)).rejects.toMatchObject({ code: "manifest-invalid" });
    }
  });

  it("a config of other bytes than its digest says", async () => {
    const fake = await startFake({ mode: "plain" });
    placeImage(fake, "a/b", "1", { platform: HOST });
    fake.fail(/blobs/, { kind: "flip", offset: 2 }, { times: 10 });
    await expect(imageOf(fake, "a/b:1")).rejects.toMatchObject({ code: "digest-mismatch" });
  });

  it("a config too large to be one, before a byte of it is fetched", async () => {
    const fake = await startFake({ mode: "plain" });
    const config = { mediaType: "x/y", digest: digestOf(Buffer.from("big")), size: 2 ** 30 };
    placeImage(fake, "a/b", "1", { manifest: { config } });
    await expect(imageOf(fake, "a/b:1")).rejects.toMatchObject({ code: "manifest-invalid" });
    expect(fake.count({ kind: "blob" })).toBe(0);
  });

  it("schema 1, and a manifest without a config", async () => {
    const fake = await startFake({ mode: "plain" });
    const old = Buffer.from(JSON.stringify({ schemaVersion: 1, fsLayers: [] }));
    fake.addManifest("a/b", "old", old, DOCKER_SCHEMA1);
    fake.addManifest("a/b", "bare", Buffer.from('{"schemaVersion":2,"layers":[]}'), OCI_MANIFEST);
    for (const tag of ["old", "bare"]) {
      await expect(imageOf(fake, `a/b:${tag}`)).rejects.toMatchObject({ code: "manifest-invalid" });
    }
  });

  it("a child that is not there", async () => {
    const fake = await startFake({ mode: "plain" });
    const gone = { mediaType: OCI_MANIFEST, digest: digestOf(Buffer.from("gone")), size: 4 };
    placeIndex(fake, "a/b", "1", [{ ...gone, platform: HOST }]);
    await expect(imageOf(fake, "a/b:1")).rejects.toMatchObject({ code: "not-found" });
  });

  it("a reference that is none, before anybody is asked", async () => {
    const fake = await startFake({ mode: "plain" });
    const refused = async () => await imageFrom(sourceOf(fake), parseReference("!!!invalid-ref!!!"));
    await expect(refused()).rejects.toMatchObject({ code: "reference-invalid" });
    expect(fake.requests).toEqual([]);
  });
});
