/**
 * Owns what a name consists of: its manifest, the manifests that this lists, and the blobs that those list, as far as the manifests are at
 * hand. An index may list manifests that are not (a sparse index): it keeps its bytes, and so its digest, all the same. Pure.
 */
import { type Digest, isDigest } from "../oci/digest.ts";
import { objects, parseJsonObject, textOf } from "../oci/json-value.ts";
import { checkManifest, type Manifest } from "../oci/manifest.ts";
import { type ManifestLink, viewManifest } from "../oci/manifest-view.ts";
import { isIndexType } from "../oci/media-types.ts";

type ListedManifest = { readonly manifest: Manifest; readonly links: readonly ManifestLink[] };

export type Parts = {
  /** The manifest of the name first; each once. */
  readonly manifests: readonly ListedManifest[];
  /** Bytes of each, where its document states them. */
  readonly blobs: ReadonlyMap<Digest, number | undefined>;
  /** Manifests that are listed and not at hand. */
  readonly absent: readonly Digest[];
};

type Root = { readonly digest: Digest; readonly mediaType: string | undefined };

/**
 * The parts of the manifest `root`. `what` is for messages. Throws `digest-mismatch` and `upstream-protocol` for a manifest that cannot be
 * used.
 */
export function bundleParts(root: Root, atHand: ReadonlyMap<Digest, Uint8Array>, what: string): Parts {
  const manifests = new Map<Digest, ListedManifest>();
  const blobs = new Map<Digest, number | undefined>();
  const absent = new Set<Digest>();
  const open = [root];
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const { digest, mediaType } = next;
    if (manifests.has(digest)) continue;
    const bytes = atHand.get(digest);
    if (bytes === undefined) {
      absent.add(digest);
      continue;
    }
    const listed = checkManifest({ bytes, digest, mediaType }, `${digest} of ${what}`, digest);
    manifests.set(digest, listed);
    if (isIndexType(listed.manifest.mediaType)) open.push(...childrenIn(bytes, mediaType));
    else for (const { digest, size } of ownBlobs(listed)) blobs.set(digest, size);
  }
  return { manifests: [...manifests.values()], blobs, absent: [...absent] };
}

/** The manifests that `bytes` lists, where it is an index. What is wrong with it is said by `bundleParts`. */
export function childrenIn(bytes: Uint8Array, mediaType: string | undefined): Root[] {
  try {
    const view = viewManifest(bytes, mediaType);
    return isIndexType(view.mediaType) ? view.children.flatMap(rootIn) : [];
  } catch {
    return [];
  }
}

function rootIn(fields: Readonly<Record<string, unknown>>): Root[] {
  const digest = textOf(fields.digest);
  return digest !== undefined && isDigest(digest) ? [{ digest, mediaType: textOf(fields.mediaType) }] : [];
}

/** Layers of Windows lie at their maker's, who does not let others hand them on: no registry has them. */
const FOREIGN = /\.(?:foreign|nondistributable)\./;

function ownBlobs({ manifest, links }: ListedManifest): readonly ManifestLink[] {
  const layers = objects(parseJsonObject(manifest.bytes)?.layers);
  const foreign = layers.filter(({ mediaType }) => FOREIGN.test(textOf(mediaType) ?? ""));
  const elsewhere = new Set(foreign.map(({ digest }) => digest));
  return links.filter(({ digest }) => !elsewhere.has(digest));
}
