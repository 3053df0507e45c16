/**
 * Owns Image, one image of one platform with the Source that its blobs are read from, and the way to it from a reference: manifest
 * and config are read and checked. It fetches no layer.
 */
import { GranaryError } from "../../errors.ts";
import type { Descriptor, Platform } from "../../oci/descriptor.ts";
import { possibleSize } from "../../oci/digest.ts";
import { type ImageConfig, type ImageView, viewImage, viewImageConfig } from "../../oci/image-view.ts";
import type { Manifest } from "../../oci/manifest.ts";
import { pickChild, platformsOf, unstatedChildren } from "../../oci/pick-child.ts";
import { formatPlatform, isMatch, isStated } from "../../oci/platform.ts";
import { atDigest, formatReference, type Reference, type Repository } from "../../oci/reference.ts";
import type { Source } from "../../source.ts";
import { readSmallBlob } from "../fetching/read-blob.ts";
import { hostPlatform } from "./host-platform.ts";

export type Image = {
  readonly source: Source;
  /** What was asked for; blobs lie in its repository. */
  readonly reference: Reference;
  /** The index that the image was chosen from; undefined when the reference names the image itself. */
  readonly index: Manifest | undefined;
  readonly manifest: Manifest;
  readonly view: ImageView;
  /** The checked bytes of the config blob, and what they say. */
  readonly configBytes: Uint8Array;
  readonly config: ImageConfig;
  /** A sentence for people: the image was taken, though it is not made for this machine. */
  readonly warning?: string;
};

export type PlatformOption = {
  /** By default Linux on this machine's architecture (our choice: an image for another system is rarely wanted). */
  readonly platform?: Platform;
};

/** Real ones are a few kilobytes; those of images with many layers and a long history come near one MiB. */
const MAX_CONFIG_BYTES = 8 * 1024 * 1024;
/** Children without a platform that are opened to see what they are; an index may list thousands of artifacts. */
const MAX_OPENED = 16;

type Ask = {
  readonly source: Source;
  readonly reference: Reference;
  /** What the reference names. */
  readonly named: Manifest;
  readonly wanted: Platform;
  /** False when `wanted` is only the default. */
  readonly isAsked: boolean;
};

/**
 * The image that `reference` names: of an index the child that serves the platform best, never an attestation. An image
 * that no index lists is checked by its own config: made for another platform than the one asked for it is `not-found`;
 * where none was asked for it is taken, and `warning` says so. An artifact is taken as it is: its `config` then has the
 * platform unknown/unknown, no diff IDs, and a document that is empty unless it is a JSON object.
 *
 * Throws `not-found` (the message lists the platforms that there are), `manifest-invalid`, and what `source` throws.
 */
export async function imageFrom(
  source: Source,
  reference: Reference,
  { platform }: PlatformOption = {},
): Promise<Image> {
  return await chooseImage(source, reference, await source.manifest(reference), platform);
}

/**
 * The image of `named` for `platform`, or for this machine when none is given. Throws `not-found` (the message lists the
 * platforms that there are), `manifest-invalid`, and what `source` throws.
 */
export async function chooseImage(
  source: Source,
  reference: Reference,
  named: Manifest,
  platform: Platform | undefined,
): Promise<Image> {
  const isAsked = platform !== undefined;
  const ask = { source, reference, named, wanted: platform ?? hostPlatform(), isAsked };
  const view = viewImage(named);
  if (view.kind === "image") return checkPlatform(ask, await readImage(ask, named, view));
  const image = await imageIn(ask, named, 0);
  if (image !== undefined) return image;
  throw noImage(
    ask,
    `it is made for ${platformsOf(view.children).join(", ") || "no platform that it names"}`,
  );
}

/** An index may list indexes, which list images: deeper ones would only cost requests. */
async function imageIn(ask: Ask, index: Manifest, depth: number): Promise<Image | undefined> {
  const view = viewImage(index);
  if (view.kind === "image" || depth > 1) return undefined;
  const child = pickChild(view.children, ask.wanted);
  if (child !== undefined) return await childImage(ask, atDigest(ask.reference, child.digest), depth);
  const unstated = unstatedChildren(view.children);
  const isAlone = view.children.length === 1;
  for (const { digest } of unstated.slice(0, MAX_OPENED)) {
    const image = await childImage(ask, atDigest(ask.reference, digest), depth);
    if (image === undefined) continue;
    if (isAlone) return checkPlatform(ask, image);
    if (isMatch(ask.wanted, image.config.platform)) return image;
  }
  return undefined;
}

async function childImage(ask: Ask, child: Reference, depth: number): Promise<Image | undefined> {
  const manifest = await ask.source.manifest(child);
  const view = viewImage(manifest);
  return view.kind === "image" ? await readImage(ask, manifest, view) : imageIn(ask, manifest, depth + 1);
}

async function readImage(ask: Ask, manifest: Manifest, stated: ImageView): Promise<Image> {
  const { source, reference, named } = ask;
  const view = await withPossibleSizes(stated, source, reference);
  const configBytes = await readSmallBlob(source, reference, view.config, MAX_CONFIG_BYTES);
  const config = viewImageConfig(configBytes, view.config.mediaType);
  const index = named === manifest ? undefined : named;
  return { source, reference, index, manifest, view, configBytes, config };
}

/**
 * `view`, with sizes that can be those of its digests: some documents say 0 of what is not empty, and then the Source is asked. Throws
 * what `Source.blobSize` throws.
 */
async function withPossibleSizes(
  view: ImageView,
  source: Source,
  repository: Repository,
): Promise<ImageView> {
  const sized = async (part: Descriptor): Promise<Descriptor> => {
    const size = possibleSize(part.digest, part.size) ?? (await source.blobSize(repository, part.digest));
    return size === part.size ? part : { ...part, size };
  };
  const layers: Descriptor[] = [];
  for (const layer of view.layers) layers.push(await sized(layer));
  return { ...view, config: await sized(view.config), layers };
}

/** No index said what this image is for: its config does, where it is an image's at all. */
function checkPlatform(ask: Ask, image: Image): Image {
  const { platform } = image.config;
  if (!isStated(platform) || isMatch(ask.wanted, platform)) return image;
  const reason = `it is made for ${formatPlatform(platform)} only`;
  if (ask.isAsked) throw noImage(ask, reason);
  const [target, host] = [formatReference(ask.reference), formatPlatform(ask.wanted)];
  return { ...image, warning: `${target} is not for this machine's ${host}: ${reason}.` };
}

function noImage({ reference, wanted }: Ask, reason: string): GranaryError {
  const target = formatReference(reference);
  const message = `There is no ${formatPlatform(wanted)} image of ${target}: ${reason}.`;
  return new GranaryError("not-found", message, { target, expected: formatPlatform(wanted) });
}
