/** Owns what a manifest lists, as far as a Pull needs it: blobs with their sizes, or manifests with their platforms. Read once for each digest. */
import { LRUCache } from "lru-cache";
import type { Digest } from "../oci/digest.ts";
import { asObject, textOf } from "../oci/json-value.ts";
import type { Manifest } from "../oci/manifest.ts";
import { type ManifestView, viewManifest } from "../oci/manifest-view.ts";
import { isIndexType } from "../oci/media-types.ts";
import { canonicalPlatform, formatPlatform } from "../oci/platform.ts";

export type Listing = {
  /** Config and layers, with the size where it is stated. */
  readonly blobs: ReadonlyMap<Digest, number | undefined>;
  /** Of an index: "linux/arm64", undefined where it states none. */
  readonly manifests: ReadonlyMap<Digest, string | undefined>;
};

/** A document can list any number; images have up to 127 layers, indexes some dozens of entries. */
const MOST_LISTED = 400;
const MOST_PLATFORM = 40;
/** A larger one is not read again for this. */
const MOST_BYTES = 2 ** 20;
const NOTHING: Listing = { blobs: new Map(), manifests: new Map() };

const known = new LRUCache<Digest, Listing>({ maxSize: 50_000, sizeCalculation: sizeOf });

/** Never throws: a document that cannot be read lists nothing. */
export function listingOf(manifest: Manifest): Listing {
  const found = known.get(manifest.digest);
  if (found !== undefined) return found;
  const listing = readListing(manifest);
  known.set(manifest.digest, listing);
  return listing;
}

function sizeOf({ blobs, manifests }: Listing): number {
  return 1 + blobs.size + manifests.size;
}

function readListing({ bytes, mediaType }: Manifest): Listing {
  if (bytes.length > MOST_BYTES) return NOTHING;
  try {
    const view = viewManifest(bytes, mediaType);
    const links = view.links.slice(0, MOST_LISTED);
    if (!isIndexType(view.mediaType))
      return { blobs: new Map(links.map(({ digest, size }) => [digest, size])), manifests: new Map() };
    const platforms = platformsOf(view);
    return {
      blobs: new Map(),
      manifests: new Map(links.map(({ digest }) => [digest, platforms.get(digest)])),
    };
  } catch {
    return NOTHING;
  }
}

function platformsOf({ children }: ManifestView): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const child of children.slice(0, MOST_LISTED)) {
    const digest = textOf(child.digest);
    const stated = asObject(child.platform);
    const [os, architecture, variant] = [stated?.os, stated?.architecture, stated?.variant].map(textOf);
    if (digest === undefined || os === undefined || architecture === undefined || os === "unknown") continue;
    const platform = canonicalPlatform({ os, architecture, ...(variant !== undefined && { variant }) });
    found.set(digest, formatPlatform(platform).slice(0, MOST_PLATFORM));
  }
  return found;
}
