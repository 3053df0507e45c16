/**
 * Owns the lists of a bundle: index.json and oci-layout of an OCI image layout (opencontainers/image-spec image-layout.md), and the
 * manifest.json by which `docker load` of an older Docker and crane find the images in it. The same names give the same bytes. Pure.
 */
import { GranaryError } from "../errors.ts";
import { algorithmOf, type Digest, encodedOf, isDigest } from "../oci/digest.ts";
import { parseDescriptor } from "../oci/image-view.ts";
import { asObject, objects, parseJsonObject } from "../oci/json-value.ts";
import { OCI_INDEX } from "../oci/media-types.ts";
import { DOCKER_HUB } from "../oci/reference.ts";
import { annotationsOf, type BundleName, bareTag, bareTagIn, nameIn, textOfName } from "./bundle-name.ts";

/** index.json lists names: one with ten thousand of them is still read. */
export const MOST_INDEX_BYTES = 16 * 2 ** 20;
export const MOST_NAMES = 10_000;

export const INDEX_FILE = "index.json";

/** An entry of index.json as it was read. */
export type ListedName = Omit<BundleName, "upstream" | "repository"> & {
  /** undefined where the archive does not say it. */
  readonly upstream: string | undefined;
  readonly repository: string | undefined;
};

/** What the readers of `docker save` look for: one image of one platform. */
export type SavedImage = {
  readonly name: BundleName;
  readonly config: Digest;
  readonly layers: readonly Digest[];
};

/** Where a blob lies. */
export function blobFile(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${encodedOf(digest)}`;
}

/** The digest of the blob that lies there; undefined for any other file. */
export function digestOfFile(name: string): Digest | undefined {
  const [, algorithm, encoded] = /^blobs\/([a-z0-9]+)\/([0-9a-f]+)$/.exec(name) ?? [];
  const digest = `${algorithm}:${encoded}`;
  return isDigest(digest) ? digest : undefined;
}

/** The lists, by file name, in the order in which they are written. */
export function bundleLists(
  names: readonly BundleName[],
  saved: readonly SavedImage[],
): ReadonlyMap<string, Uint8Array> {
  return new Map([
    ["oci-layout", encode({ imageLayoutVersion: "1.0.0" })],
    [INDEX_FILE, encode({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: names.map(entryOf) })],
    ...(saved.length > 0 ? [["manifest.json", encode(saved.map(savedEntryOf))] as const] : []),
  ]);
}

/** index.json for names as they were read, also those without a registry. */
export function listedIndex(names: readonly ListedName[]): Uint8Array {
  const entries = names.map(({ upstream, repository, ...name }) =>
    upstream === undefined || repository === undefined
      ? namelessEntry(name)
      : entryOf({ ...name, upstream, repository }),
  );
  return encode({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: entries });
}

/** Throws `manifest-invalid` for what is no index.json, or one with too many names. */
export function parseBundleIndex(bytes: Uint8Array): ListedName[] {
  const document = parseJsonObject(bytes);
  if (document === undefined) throw invalid("it is not JSON");
  const entries = objects(document.manifests);
  if (entries.length > MOST_NAMES) throw invalid(`it has more than ${MOST_NAMES} entries`);
  return entries.map((fields) => {
    const { digest, mediaType, size, annotations = {} } = parseDescriptor(fields);
    const named = nameIn(annotations);
    return {
      upstream: named?.upstream,
      repository: named?.repository,
      tag: named === undefined ? bareTagIn(annotations) : named.tag,
      digest,
      mediaType,
      size,
    };
  });
}

function namelessEntry({
  mediaType,
  digest,
  size,
  tag,
}: Pick<BundleName, "mediaType" | "digest" | "size" | "tag">) {
  const annotations = tag === undefined ? {} : bareTag(tag);
  return { mediaType, digest, size, annotations };
}

function entryOf(name: BundleName) {
  const { mediaType, digest, size } = name;
  return { mediaType, digest, size, annotations: annotationsOf(name) };
}

/** As Docker shows names: without the parts that it implies. */
function savedEntryOf({ name, config, layers }: SavedImage) {
  const hub = `${DOCKER_HUB}/`;
  const text = textOfName(name);
  const familiar = text.startsWith(hub) ? text.slice(hub.length).replace(/^library\//, "") : text;
  return {
    Config: blobFile(config),
    RepoTags: name.tag === undefined ? null : [familiar],
    Layers: layers.map(blobFile),
  };
}

function encode(document: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(asObject(document) ?? document));
}

function invalid(reason: string): GranaryError {
  return new GranaryError("manifest-invalid", `The index.json of the bundle cannot be used: ${reason}.`);
}
