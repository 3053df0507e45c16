/**
 * Owns images and indexes of client tests: documents with any platform, variant, annotation or config, put into a fake
 * registry as they are. What they say may be wrong: that is what the tests are about.
 */
import type { Digest } from "../../src/oci/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../src/oci/media-types.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import type { FakeRegistry } from "./fake-registry.ts";

export const OCI_CONFIG = "application/vnd.oci.image.config.v1+json";
export const OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

export type PlacedManifest = {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
};

export type ImageDocument = {
  /** Of the config; the config says nothing of it when this is left out. */
  readonly platform?: string;
  readonly config?: Uint8Array | Readonly<Record<string, unknown>>;
  readonly configType?: string;
  readonly layers?: readonly (Uint8Array | { readonly bytes: Uint8Array; readonly mediaType: string })[];
  /** Further fields of the manifest. */
  readonly manifest?: Readonly<Record<string, unknown>>;
};

export function placeImage(
  fake: FakeRegistry,
  repository: string,
  tag: string | undefined,
  document: ImageDocument = {},
): PlacedManifest {
  const { platform, config = {}, configType = OCI_CONFIG, layers = [], manifest = {} } = document;
  const stated = platform === undefined ? {} : parsePlatform(platform);
  const configBytes =
    config instanceof Uint8Array ? config : Buffer.from(JSON.stringify({ ...stated, ...config }));
  const placed = layers.map((layer) => {
    const { bytes, mediaType } = layer instanceof Uint8Array ? { bytes: layer, mediaType: OCI_LAYER } : layer;
    return { mediaType, digest: fake.addBlob(bytes, repository), size: bytes.length };
  });
  const configDigest = fake.addBlob(configBytes, repository);
  return place(fake, repository, tag, OCI_MANIFEST, {
    config: { mediaType: configType, digest: configDigest, size: configBytes.length },
    layers: placed,
    ...manifest,
  });
}

export type ChildDocument = PlacedManifest & {
  readonly platform?: string;
  readonly annotations?: Readonly<Record<string, string>>;
};

export function placeIndex(
  fake: FakeRegistry,
  repository: string,
  tag: string | undefined,
  children: readonly ChildDocument[],
): PlacedManifest {
  const manifests = children.map(({ platform, ...child }) => ({
    ...child,
    ...(platform !== undefined && { platform: parsePlatform(platform) }),
  }));
  return place(fake, repository, tag, OCI_INDEX, { manifests });
}

/** An index whose children are images with a config of each platform; their digests by platform. */
export function placeIndexOf(
  fake: FakeRegistry,
  repository: string,
  tag: string,
  platforms: readonly string[],
): Map<string, Digest> {
  const children = platforms.map((platform, place) => ({
    ...placeImage(fake, repository, undefined, { platform, config: { place } }),
    platform,
  }));
  placeIndex(fake, repository, tag, children);
  return new Map(children.map(({ platform, digest }) => [platform, digest]));
}

function place(
  fake: FakeRegistry,
  repository: string,
  tag: string | undefined,
  mediaType: string,
  document: Readonly<Record<string, unknown>>,
): PlacedManifest {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...document }));
  return { mediaType, digest: fake.addManifest(repository, tag, bytes, mediaType), size: bytes.length };
}
