/**
 * Owns the documents of an image that is made here: config, manifest, and the two lists by which readers of OCI layouts and of
 * `docker save` find it. Pure; the same parts give the same bytes.
 */
import type { Descriptor, Platform } from "../../../oci/descriptor.ts";
import { type Digest, digestOf } from "../../../oci/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../../oci/media-types.ts";
import { DEFAULT_TAG, DOCKER_HUB, formatReference, type Reference } from "../../../oci/reference.ts";
import { blobName } from "../oci-layout.ts";

export type NewImage = {
  readonly reference: Reference;
  readonly platform: Platform;
  readonly created: Date;
  /** Bottom first; a layer can be there twice. They are stored plain, so that digest and diff ID are one. */
  readonly layers: readonly Descriptor[];
};

type ImageDocuments = {
  readonly config: Uint8Array;
  readonly manifest: Uint8Array;
  /** By the name of the file that each is stored as. */
  readonly files: ReadonlyMap<string, Uint8Array>;
};

export const LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar";
const CONFIG_TYPE = "application/vnd.oci.image.config.v1+json";

export function imageDocuments(image: NewImage): ImageDocuments {
  const { reference, layers } = image;
  const config = encode(configOf(image));
  const manifest = encode({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: describe(CONFIG_TYPE, config),
    layers,
  });
  const saved = {
    Config: blobName(digestOf(config)),
    RepoTags: [familiarName(reference)],
    Layers: layers.map(({ digest }) => blobName(digest)),
  };
  const files = new Map([
    [blobName(digestOf(config)), config],
    [blobName(digestOf(manifest)), manifest],
    ["index.json", encode(indexOf(image, manifest))],
    ["manifest.json", encode([saved])],
    ["oci-layout", encode({ imageLayoutVersion: "1.0.0" })],
  ]);
  return { config, manifest, files };
}

/** opencontainers/image-spec config.md: one line of history per layer. */
function configOf({ platform, created, layers }: NewImage) {
  const time = created.toISOString().replace(".000Z", "Z");
  return {
    created: time,
    ...platform,
    config: {},
    rootfs: { type: "layers", diff_ids: layers.map(({ digest }): Digest => digest) },
    history: layers.map(() => ({ created: time, created_by: "granary image create" })),
  };
}

/** The two annotations are what `docker save` writes: the whole name for containerd, the tag for everyone else. */
function indexOf({ reference, platform }: NewImage, manifest: Uint8Array) {
  const annotations = {
    "io.containerd.image.name": formatReference(reference),
    "org.opencontainers.image.ref.name": reference.tag ?? DEFAULT_TAG,
  };
  const listed = { ...describe(OCI_MANIFEST, manifest), annotations, platform };
  return { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [listed] };
}

/** As Docker shows names: without the parts that it implies, `docker.io/` and `library/`. */
function familiarName(reference: Reference): string {
  const prefix = `${DOCKER_HUB}/`;
  const name = formatReference(reference);
  return name.startsWith(prefix) ? name.slice(prefix.length).replace(/^library\//, "") : name;
}

function describe(mediaType: string, bytes: Uint8Array): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

function encode(document: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(document));
}
