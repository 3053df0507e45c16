/**
 * Owns how much of something is here: blobs whole, unfinished ones by the bytes of their maps. It reads rows and sums, and decides nothing.
 */
import type { ByteRange } from "../../bytes/byte-range.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { RepositoryKey } from "../../metadata/metadata.ts";
import type { Part } from "../../metadata/part-rows.ts";
import type { Digest } from "../../oci/digest.ts";

/** How much of something is here; all in bytes. */
export type Share = {
  /** Of whole blobs. */
  readonly size: number;
  /** Of unfinished blobs, as far as they are here. */
  readonly partial: number;
  /** Of all that belongs to it, as far as its manifests are here and tell. */
  readonly wanted: number;
};

/** One blob of a manifest, and how much of it is here. */
export type ShownPart = {
  readonly digest: Digest;
  readonly role: "config" | "layer";
  readonly mediaType: string | undefined;
  /** Bytes; undefined where nobody states it. */
  readonly size: number | undefined;
  /** Bytes of it that are here. */
  readonly present: number;
  /** Of one that is here in part: which bytes, for drawing. Left out where too many are. */
  readonly runs?: readonly ByteRange[];
  /** The same exactly, where it lies in more runs than that; see fill/drawn-cells.ts. */
  readonly cells?: string;
};

/** An image of one platform, a model or an artifact. */
export type ShownImage = Share & {
  /** As the index states it, or without an index the config; undefined where neither does, or the config is not here. */
  readonly platform: string | undefined;
  readonly digest: Digest;
  /** Its manifest is here: without it nobody asked for this platform yet. */
  readonly isStored: boolean;
  readonly parts: readonly ShownPart[];
};

/** Bytes that are present of unfinished blobs, by upstream and digest. */
export type Partials = { presentOf(upstream: string, digest: Digest): number };

/** As BuildKit writes it into an index for what it attests about an image (moby/buildkit docs/attestations/attestation-storage.md). */
export const NO_PLATFORM = "unknown/unknown";

/** What is read of one document at most: larger than every index seen, with all of its images. */
const MOST_PARTS = 50_000;

/** The images that `root` stands for: itself, or those that it lists. */
export async function imagesOf(
  rows: ContentRows,
  { upstream }: Pick<RepositoryKey, "upstream">,
  root: Digest,
  partials: Partials,
): Promise<ShownImage[]> {
  const parts = await rows.partsOf(root, MOST_PARTS);
  const children = parts.filter(({ role }) => role === "child");
  const leaves = Map.groupBy(
    parts.filter(({ role }) => role !== "child"),
    ({ parent }) => parent,
  );
  const image = (digest: Digest, platform: string | undefined, isStored: boolean): ShownImage => {
    const shown = (leaves.get(digest) ?? []).map((part) => shownPart(part, upstream, partials));
    return { platform, digest, isStored, parts: shown, ...shareOf(shown) };
  };
  const indices = new Set(children.map(({ parent }) => parent));
  const images = children.filter(({ digest }) => !indices.has(digest));
  if (images.length > 0)
    return images.map(({ digest, platform, isStored }) => image(digest, platform, isStored));
  return [image(root, undefined, true)];
}

/** Of the images together: what two of them share counts once. */
export function shareOfAll(images: readonly ShownImage[]): Share {
  const parts = new Map(images.flatMap((image) => image.parts).map((part) => [part.digest, part]));
  return shareOf([...parts.values()]);
}

function shareOf(parts: readonly ShownPart[]): Share {
  let [size, partial, wanted] = [0, 0, 0];
  for (const part of parts) {
    const isWhole = part.size !== undefined && part.present >= part.size;
    if (isWhole) size += part.present;
    else partial += part.present;
    wanted += part.size ?? part.present;
  }
  return { size, partial, wanted };
}

function shownPart(
  { digest, role, mediaType, size, blob }: Part,
  upstream: string,
  partials: Partials,
): ShownPart {
  const present = blob ?? partials.presentOf(upstream, digest);
  return { digest, role: role === "config" ? role : "layer", mediaType, size: blob ?? size, present };
}
