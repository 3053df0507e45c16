/** Owns the library's functions that ask about images: texts or open images in, client functions bound to a Source. */
import type { Image } from "../client/image.ts";
import { type ImageDigest, imageDigest } from "../client/image-digest.ts";
import { imageSize, uncompressedImageSize } from "../client/image-size.ts";
import { type InspectedImage, inspectImage as inspectImageOf } from "../client/inspect-image.ts";
import {
  type ImageOptions,
  type OpenedImage,
  openImage,
  platformOf,
  withImage,
  withImageSource,
} from "./hold-image.ts";

/**
 * Opens the image that `reference` means for one platform, its manifest and config read and checked; layers are read later. A
 * reference is `[host[:port]/]repository[:tag][@digest]` in a registry, `ocifile:PATH[#NAME]` for an OCI layout, an OCI archive or
 * what `docker save` wrote, or `docker-daemon:NAME` in the Docker engine of this machine. The caller closes the image.
 *
 * Throws GranaryError: `reference-invalid` (before anything is asked), `config-invalid`, `not-found` (the platforms that there
 * are stand in the message), `unauthorized`, `denied`, `rate-limited`, `manifest-invalid`, `digest-mismatch`,
 * `upstream-unavailable`, `upstream-protocol`, `store-full`, `store-damaged`, `aborted`.
 */
export async function getImage(reference: string, options: ImageOptions = {}): Promise<OpenedImage> {
  return await openImage(reference, options);
}

/**
 * Bytes of the image's layers as they are stored and sent (compressed); config and manifest do not count. `image` is a text as
 * `getImage` takes it, or an open Image. Throws as `getImage`.
 */
export async function getOciImageSize(image: string | Image, options: ImageOptions = {}): Promise<number> {
  return await withImage(image, options, async (opened) => imageSize(opened));
}

/**
 * Bytes of the image's layers unpacked. No manifest tells them: every layer is fetched, verified and counted, and kept nowhere.
 * Progress is in bytes fetched. Throws as `getImage`.
 */
export async function getOciImageUncompressedSize(
  image: string | Image,
  options: ImageOptions = {},
): Promise<number> {
  return await withImage(image, options, (opened) => uncompressedImageSize(opened, options));
}

/**
 * The digest that `reference` stands for now, and of what it is: `kind` is "index" for all platforms together, "image" for one. With
 * `platform` it is that image's, and the answer names the platform. Throws as `getImage`.
 */
export async function getImageDigest(reference: string, options: ImageOptions = {}): Promise<ImageDigest> {
  const platform = platformOf(options);
  return await withImageSource(reference, options, (source, named) => imageDigest(source, named, platform));
}

/**
 * What is known of an image without its layers, as one plain JSON value: digests, platform, sizes in bytes, what its config says.
 * `image` is a text as `getImage` takes it, or an open Image. Throws as `getImage`.
 */
export async function inspectImage(
  image: string | Image,
  options: ImageOptions = {},
): Promise<InspectedImage> {
  return await withImage(image, options, async (opened) => inspectImageOf(opened));
}
