/**
 * Owns the reading of an OCI image layout (opencontainers/image-spec image-layout.md), as a folder or in a tar: index.json, and blobs by
 * digest. The names of files are built from digests that were parsed, never taken from a document.
 */
import { GranaryError } from "../../errors.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { algorithmOf, type Digest, digestOf, encodedOf } from "../../oci/digest.ts";
import { parseDescriptor } from "../../oci/image-view.ts";
import { type JsonObject, objects, parseJsonObject, textOf } from "../../oci/json-value.ts";
import { OCI_INDEX } from "../../oci/media-types.ts";
import { formatPlatform } from "../../oci/platform.ts";
import { type ArchiveFiles, MAX_LIST_BYTES, readStored, storedInMemory } from "./archive-files.ts";
import type { ArchivedImage } from "./archive-source.ts";
import { chooseNamed, type NamedImage, referenceOf } from "./named-image.ts";

type Entry = NamedImage & { readonly descriptor: Descriptor; readonly fields: JsonObject };

/** Docker and containerd write the whole reference into the first, most others a tag or a reference into the second. */
const NAME_ANNOTATIONS = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

/**
 * The image `wanted`, or the only one; undefined when `files` have no index.json. Throws `manifest-invalid` (index.json cannot
 * be used), `not-found` and `reference-invalid` (see chooseNamed).
 */
export async function findInLayout(
  files: ArchiveFiles,
  wanted: string | undefined,
): Promise<ArchivedImage | undefined> {
  const stored = await files.open("index.json");
  if (stored === undefined) return undefined;
  const bytes = await readStored(stored, MAX_LIST_BYTES, "index.json").finally(() => stored.close());
  const entries = objects(parseJsonObject(bytes)?.manifests).map(entryOf);
  if (entries.length === 0) {
    throw new GranaryError("manifest-invalid", `index.json of ${files.path} lists no image.`);
  }
  return imageOf(files, chooseNamed(entries, wanted, files.path));
}

/** Where a blob lies (opencontainers/image-spec image-layout.md, "Blobs"). */
export function blobName(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${encodedOf(digest)}`;
}

function entryOf(fields: JsonObject): Entry {
  const descriptor = parseDescriptor(fields);
  const names = NAME_ANNOTATIONS.map((key) => textOf(descriptor.annotations?.[key])).filter(
    (name) => name !== undefined,
  );
  const isAnonymous = names.length === 0 && descriptor.platform !== undefined;
  return {
    descriptor,
    fields,
    names: [...names, descriptor.digest],
    // Entries without a name, but with a platform each, are one image for several platforms.
    identity: isAnonymous ? "" : descriptor.digest,
  };
}

function imageOf(files: ArchiveFiles, entries: readonly Entry[]): ArchivedImage {
  const open = (digest: Digest) => files.open(blobName(digest));
  const [first, ...others] = entries;
  if (first === undefined) throw new GranaryError("manifest-invalid", `${files.path} lists no image.`);
  const { digest, mediaType } = first.descriptor;
  if (others.every(({ descriptor }) => descriptor.digest === digest)) {
    return { reference: referenceOf(first.names, digest), mediaType, open };
  }
  const index = indexOf(files.path, entries);
  const reference = referenceOf(first.names.slice(0, -1), digestOf(index));
  return {
    reference,
    mediaType: OCI_INDEX,
    open: async (asked) => (asked === reference.digest ? storedInMemory(index) : await open(asked)),
  };
}

/** The index that the writer left out: several entries of one name that differ by platform. */
function indexOf(path: string, entries: readonly Entry[]): Uint8Array {
  const platforms = entries.map(({ descriptor: { platform } }) => platform && formatPlatform(platform));
  if (platforms.includes(undefined) || new Set(platforms).size < platforms.length) {
    const digests = entries.map(({ descriptor }) => descriptor.digest).join(", ");
    const message = `${path} has several images of one name: say which one by its digest, of ${digests}.`;
    throw new GranaryError("reference-invalid", message, { target: path });
  }
  const manifests = entries.map(({ fields }) => fields);
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
}
