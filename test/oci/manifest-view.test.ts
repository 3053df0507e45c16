/** Shows what is read out of a manifest, and which documents are refused. */
import { describe, expect, it } from "vitest";
import { manifestTypeOf, viewManifest } from "../../src/oci/manifest-view.ts";
import {
  DOCKER_LIST,
  DOCKER_MANIFEST,
  DOCKER_SCHEMA1,
  OCI_INDEX,
  OCI_MANIFEST,
} from "../../src/oci/media-types.ts";

const A = `sha256:${"a".repeat(64)}`;
const B = `sha512:${"b".repeat(128)}`;
const C = `sha256:${"c".repeat(64)}`;
const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest: A, size: 2 };

function view(document: unknown, contentType?: string) {
  return viewManifest(Buffer.from(JSON.stringify(document)), contentType);
}

describe("links", () => {
  it("are the config, the layers, the children and the blobs, and never the subject", () => {
    const subject = { digest: C, size: 9 };
    expect(view({ config, layers: [{ digest: B, size: 7 }], subject }).links).toEqual([
      { digest: A, size: 2 },
      { digest: B, size: 7 },
    ]);
    expect(view({ manifests: [{ digest: A, size: 1 }] }).links).toEqual([{ digest: A, size: 1 }]);
    expect(view({ blobs: [{ digest: A, size: 1 }] }, "application/x.artifact+json").links).toHaveLength(1);
  });

  it("of schema 1 are its layers, without sizes", () => {
    const found = view({ schemaVersion: 1, fsLayers: [{ blobSum: A }, { blobSum: "bad" }] });
    expect(found).toMatchObject({ mediaType: DOCKER_SCHEMA1, links: [{ digest: A, size: undefined }] });
  });

  it("leave out what is no digest, and sizes that are no sizes", () => {
    const layers = [
      { digest: "sha256:short", size: 1 },
      { digest: "../../etc/passwd", size: 1 },
      { digest: A, size: -1 },
      { digest: A, size: 1.5 },
      { digest: A, size: "12" },
      { digest: A, size: 2 ** 60 },
      "text",
      null,
      [],
    ];
    expect(view({ config: null, layers }, OCI_MANIFEST).links).toEqual(
      Array.from({ length: 4 }, () => ({ digest: A, size: undefined })),
    );
  });
});

describe("the media type", () => {
  it("is the document's own before the header's (CVE-2021-41190)", () => {
    expect(view({ mediaType: DOCKER_MANIFEST, config, layers: [] }, OCI_MANIFEST).mediaType).toBe(
      DOCKER_MANIFEST,
    );
  });

  it("is the header's, without parameters and in lower case, where the document says none", () => {
    const header = "Application/vnd.OCI.image.manifest.v1+JSON; charset=utf-8";
    expect(view({ config, layers: [] }, header).mediaType).toBe(OCI_MANIFEST);
  });

  it.each([
    [OCI_INDEX, { manifests: [] }],
    [DOCKER_LIST, { manifests: [{ mediaType: DOCKER_MANIFEST, digest: A, size: 1 }] }],
    [OCI_MANIFEST, { config, layers: [] }],
    [DOCKER_MANIFEST, { config: { ...config, mediaType: "application/vnd.docker.container.image.v1+json" } }],
  ])("is told by the shape where nobody says it: %s", (mediaType, document) => {
    for (const header of [undefined, "", "text/plain; charset=utf-8", "application/octet-stream"]) {
      expect(view(document, header).mediaType).toBe(mediaType);
    }
  });

  it("manifestTypeOf knows which headers say nothing", () => {
    expect(manifestTypeOf(undefined)).toBeUndefined();
    expect(manifestTypeOf("text/html; charset=utf-8")).toBeUndefined();
    expect(manifestTypeOf(`${OCI_INDEX};x=y`)).toBe(OCI_INDEX);
  });
});

it("tells artifact type, annotations and children for referrers", () => {
  const found = view({ mediaType: OCI_MANIFEST, config, layers: [], annotations: { a: "b" } });
  expect(found).toMatchObject({ artifactType: config.mediaType, annotations: { a: "b" }, children: [] });
  expect(view({ config, layers: [], artifactType: "x/y" }).artifactType).toBe("x/y");
  expect(view({ manifests: [{ digest: A }, 7] }).children).toEqual([{ digest: A }]);
});

it("accepts a byte order mark, and null in place of a list", () => {
  const bytes = Buffer.from(`\uFEFF${JSON.stringify({ manifests: null, config, layers: null })}`);
  expect(viewManifest(bytes, undefined)).toMatchObject({ mediaType: OCI_MANIFEST, links: [{ digest: A }] });
});

describe("refuses, as manifest-invalid", () => {
  it.each<[string, unknown, string?]>([
    ["an index with layers", { manifests: [], layers: [] }],
    ["an index with a config", { manifests: [], config }],
    ["an image that calls itself an index", { mediaType: OCI_INDEX, config, layers: [] }],
    ["an index that calls itself an image", { mediaType: DOCKER_MANIFEST, manifests: [] }],
    ["an image that the upstream calls an index", { config, layers: [] }, OCI_INDEX],
    ["manifests that are no list, beside layers", { manifests: {}, layers: [] }],
    ["a list", [1, 2]],
    ["a text", "manifest"],
    ["an error that came with 200", { errors: [{ code: "DENIED" }] }, "application/json"],
    ["a media type with a line break", { mediaType: "a/b\r\nSet-Cookie: x=y", config, layers: [] }],
    ["a media type with a letter that no header can carry", { mediaType: "a/ü", config, layers: [] }],
    ["a media type of a kilobyte", { mediaType: `a/${"b".repeat(1024)}`, config, layers: [] }],
  ])("%s", (_name, document, contentType) => {
    expect(() => view(document, contentType)).toThrow(expect.objectContaining({ code: "manifest-invalid" }));
  });

  it.each<[string, Uint8Array]>([
    ["nothing", new Uint8Array()],
    ["HTML", Buffer.from("<html>")],
    ["what is not UTF-8", Buffer.from([0x7b, 0xff, 0x7d])],
    ["a document of a million brackets", Buffer.from("[".repeat(1_000_000))],
    ["two documents", Buffer.from("{}{}")],
  ])("%s", (_name, bytes) => {
    expect(() => viewManifest(bytes, OCI_MANIFEST)).toThrow(
      expect.objectContaining({ code: "manifest-invalid" }),
    );
  });
});
