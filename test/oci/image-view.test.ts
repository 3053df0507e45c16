/** Shows what the client verbs read in manifests and configs, and that what cannot be used is refused in one way only. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isGranaryError } from "../../src/errors.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { viewImage, viewImageConfig } from "../../src/oci/image-view.ts";
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from "../../src/oci/media-types.ts";

const DIGEST = digestOf(Buffer.from("x"));
const CONFIG = { mediaType: "application/vnd.oci.image.config.v1+json", digest: DIGEST, size: 7 };

function manifestOf(document: unknown, mediaType = OCI_MANIFEST) {
  return { bytes: Buffer.from(JSON.stringify(document)), mediaType };
}

function view(document: unknown, mediaType = OCI_MANIFEST) {
  return viewImage(manifestOf(document, mediaType));
}

describe("an image manifest", () => {
  it("has a config and layers, with everything that their descriptors say", () => {
    const layer = {
      mediaType: "application/vnd.acme.layer",
      digest: DIGEST,
      size: 2 ** 33 + 1,
      annotations: { "org.opencontainers.image.title": "a", odd: 7 },
    };
    const annotations = { a: "b", c: { d: 1 } };
    expect(view({ config: CONFIG, layers: [layer, CONFIG], annotations })).toEqual({
      kind: "image",
      mediaType: OCI_MANIFEST,
      config: CONFIG,
      layers: [{ ...layer, annotations: { "org.opencontainers.image.title": "a" } }, CONFIG],
      artifactType: CONFIG.mediaType,
      annotations: { a: "b" },
    });
  });

  it("of an artifact says its own type first", () => {
    expect(view({ artifactType: "application/vnd.acme", config: CONFIG })).toMatchObject({
      artifactType: "application/vnd.acme",
      layers: [],
    });
  });

  it.each([
    ["no config", { layers: [] }],
    ["a config without a digest", { config: { size: 1 } }],
    ["a digest that is none", { config: { ...CONFIG, digest: "sha256:../../etc" } }],
    ["no size", { config: { ...CONFIG, size: undefined } }],
    ["a negative size", { config: CONFIG, layers: [{ ...CONFIG, size: -1 }] }],
    ["a size in text", { config: CONFIG, layers: [{ ...CONFIG, size: "1" }] }],
    ["a size that no double holds", { config: CONFIG, layers: [{ ...CONFIG, size: 2 ** 53 }] }],
  ])("with %s is refused", (_what, document) => {
    expect(() => view(document)).toThrow(expect.objectContaining({ code: "manifest-invalid" }));
  });

  it.each(["json", "prettyjws"])("of schema 1 (%s) is refused with what to do", (form) => {
    const type = `application/vnd.docker.distribution.manifest.v1+${form}`;
    expect(() => view({ schemaVersion: 1, fsLayers: [] }, type)).toThrow(/schema 1.*push the image again/);
  });
});

describe("an index", () => {
  it.each([OCI_INDEX, DOCKER_LIST])(
    "(%s) has children with their platforms, in the names that images use",
    (type) => {
      const child = { mediaType: DOCKER_MANIFEST, digest: DIGEST, size: 5 };
      const children = [
        { ...child, platform: { os: "linux", architecture: "arm", variant: "v7", "os.version": "1" } },
        { ...child, platform: { os: "Linux", architecture: "x86_64" } },
        { ...child, platform: {} },
        { ...child, annotations: { "vnd.docker.reference.type": "attestation-manifest" } },
        { ...child, artifactType: "application/vnd.acme" },
      ];
      expect(view({ manifests: children }, type)).toEqual({
        kind: "index",
        children: [
          { ...child, platform: { os: "linux", architecture: "arm", variant: "v7" } },
          { ...child, platform: { os: "linux", architecture: "amd64" } },
          { ...child, platform: { os: "unknown", architecture: "unknown" } },
          children[3],
          children[4],
        ],
      });
    },
  );
});

describe("the config", () => {
  it("of an image says its platform and the digests of its plain layers", () => {
    const document = { os: "linux", architecture: "arm64", variant: "v8", rootfs: { diff_ids: [DIGEST] } };
    expect(viewImageConfig(Buffer.from(JSON.stringify(document)), CONFIG.mediaType)).toEqual({
      platform: { os: "linux", architecture: "arm64", variant: "v8" },
      diffIds: [DIGEST],
      document,
    });
  });

  it.each(["", "[]", "hello", '{"rootfs":{"diff_ids":["x"]}}', '{"rootfs":{"diff_ids":[1]}}'])(
    "of an image cannot be %j, of an artifact it can",
    (text) => {
      const bytes = Buffer.from(text);
      const refused = expect.objectContaining({ code: "manifest-invalid" });
      expect(() => viewImageConfig(bytes)).toThrow(refused);
      expect(() => viewImageConfig(bytes, CONFIG.mediaType)).toThrow(refused);
      expect(viewImageConfig(bytes, "application/vnd.acme")).toMatchObject({
        platform: { os: "unknown", architecture: "unknown" },
        diffIds: [],
      });
    },
  );
});

describe("every document", () => {
  const key = fc.constantFrom(
    "mediaType",
    "config",
    "layers",
    "manifests",
    "digest",
    "size",
    "platform",
    "os",
  );
  const leaf = fc.oneof(fc.constantFrom(DIGEST, OCI_INDEX, OCI_MANIFEST, 1, -1, null), fc.jsonValue());
  const flat = fc.dictionary(key, leaf, { maxKeys: 4 });
  const nested = fc.dictionary(key, fc.oneof(leaf, flat, fc.array(flat, { maxLength: 3 })), { maxKeys: 6 });
  const document = fc.dictionary(key, fc.oneof(leaf, nested, fc.array(nested, { maxLength: 3 })), {
    maxKeys: 6,
  });

  it("is a view or `manifest-invalid`, never another failure", () => {
    fc.assert(
      fc.property(document, fc.constantFrom(OCI_MANIFEST, OCI_INDEX, ""), (value, type) => {
        for (const read of [
          () => viewImage(manifestOf(value, type)),
          () => viewImageConfig(Buffer.from(JSON.stringify(value))),
        ]) {
          try {
            read();
          } catch (error) {
            expect(isGranaryError(error, "manifest-invalid")).toBe(true);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
