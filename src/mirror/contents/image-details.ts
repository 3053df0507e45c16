/**
 * Owns what is shown of an image beyond what the rows tell: the platform of one that no index lists, from its config, and which bytes of an
 * unfinished blob are here. What cannot be read is left out: the rest is shown all the same.
 */

import { algorithmOf, digestOf } from "../../oci/digest.ts";
import { type ImageConfig, isImageConfigType, viewImageConfig } from "../../oci/image-view.ts";
import { formatPlatform } from "../../oci/platform.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { ShownImage, ShownPart } from "./content-parts.ts";
import type { FoundPartials } from "./found-partials.ts";

export type DetailParts = {
  readonly store: Pick<BlobStore, "open">;
  readonly partials: Pick<FoundPartials, "mapOf">;
};

/** Configs of images are a few KiB; the largest seen, of many layers with long commands, are some hundred. */
const MOST_CONFIG_BYTES = 2 ** 20;
/** Maps in one answer: each is read from the disk. */
const MOST_MAPS = 100;

/** For one answer: what it read counts against its bound. */
export class ImageDetails {
  readonly #parts: DetailParts;
  readonly #upstream: string;
  #maps = 0;

  constructor(parts: DetailParts, upstream: string) {
    this.#parts = parts;
    this.#upstream = upstream;
  }

  async of(image: ShownImage): Promise<ShownImage> {
    const platform = image.platform ?? (await platformIn(this.#parts.store, image.parts));
    const parts: ShownPart[] = [];
    for (const part of image.parts) parts.push(await this.#withRuns(part));
    return { ...image, platform, parts };
  }

  async #withRuns(part: ShownPart): Promise<ShownPart> {
    const { digest, size, present } = part;
    if (size === undefined || present === 0 || present >= size || this.#maps >= MOST_MAPS) return part;
    this.#maps += 1;
    const { runs, cells } = await this.#parts.partials.mapOf({ digest, upstream: this.#upstream }, size);
    return runs.length === 0 ? part : { ...part, runs, ...(cells !== undefined && { cells }) };
  }
}

/** A model's config is of an image's type and names the platform of nothing: models run everywhere. */
async function platformIn(
  store: DetailParts["store"],
  parts: readonly ShownPart[],
): Promise<string | undefined> {
  const config = parts.find(({ role }) => role === "config");
  if (config === undefined || !isImageConfigType(config.mediaType ?? "")) return undefined;
  if (parts.some(({ mediaType }) => mediaType?.startsWith("application/vnd.ollama.") === true))
    return undefined;
  const view = await configOf(store, config);
  if (view === undefined || [view.platform.os, view.platform.architecture].includes("unknown"))
    return undefined;
  return formatPlatform(view.platform);
}

/** undefined for one that is not here whole, is too large, or is damaged. */
async function configOf(
  store: DetailParts["store"],
  { digest, size = Number.POSITIVE_INFINITY, present }: ShownPart,
): Promise<ImageConfig | undefined> {
  if (present < size || size > MOST_CONFIG_BYTES) return undefined;
  try {
    const bytes = await bytesOf(store, digest);
    const isRight = bytes !== undefined && digestOf(bytes, algorithmOf(digest)) === digest;
    return isRight ? viewImageConfig(bytes) : undefined;
  } catch {
    return undefined;
  }
}

async function bytesOf(
  store: DetailParts["store"],
  digest: ShownPart["digest"],
): Promise<Uint8Array | undefined> {
  const blob = await store.open(digest);
  if (blob === undefined) return undefined;
  try {
    // What the disk has may be larger than the row says.
    const bytes = new Uint8Array(Math.min(blob.size, MOST_CONFIG_BYTES));
    let read = 0;
    while (read < bytes.length) {
      const count = await blob.read(read, bytes.subarray(read));
      if (count === 0) break;
      read += count;
    }
    return bytes.subarray(0, read);
  } finally {
    await blob.close();
  }
}
