/** Owns the library's functions for images, beside the opening of one: texts or open images in, client functions bound to a Source. */
import { type CreatedImage, type CreateOptions, writeImage } from "../client/archives/create-image.ts";
import { type Extraction, type ExtractOptions, unpackImage } from "../client/extraction/unpack-image.ts";
import { hostPlatform } from "../client/images/host-platform.ts";
import type { Image } from "../client/images/image.ts";
import { type ImageDigest, imageDigestFrom } from "../client/images/image-digest.ts";
import { layersSize, uncompressedSize } from "../client/images/image-size.ts";
import { describeImage, type InspectedImage } from "../client/images/inspect-image.ts";
import { formatPlatform } from "../oci/platform.ts";
import { endedBy } from "./ended-by.ts";
import { type ImageOptions, platformOf, withImage, withImageSource } from "./open-image.ts";

/**
 * Bytes of the image's layers as they are stored and sent (compressed); config and manifest do not count. `image` is a text as
 * `openImage` takes it, or an open Image. Throws as `openImage`.
 */
export async function imageSize(image: string | Image, options: ImageOptions = {}): Promise<number> {
  return await withImage(image, options, async (opened) => layersSize(opened));
}

/**
 * Bytes of the image's layers unpacked. No manifest tells them: every layer is fetched, verified and counted, and kept nowhere.
 * Progress is in bytes fetched. Throws as `openImage`.
 */
export async function uncompressedImageSize(
  image: string | Image,
  options: ImageOptions = {},
): Promise<number> {
  return await withImage(image, options, (opened) => uncompressedSize(opened, options));
}

/**
 * The digest that `reference` stands for now, and of what it is: `kind` is "index" for all platforms together, "image" for one. With
 * `platform` it is that image's, and the answer names the platform. Throws as `openImage`.
 */
export async function imageDigest(reference: string, options: ImageOptions = {}): Promise<ImageDigest> {
  const platform = platformOf(options);
  return await withImageSource(reference, options, (source, named) =>
    imageDigestFrom(source, named, platform),
  );
}

/**
 * What is known of an image without its layers, as one plain JSON value: digests, platform, sizes in bytes, what its config says.
 * `image` is a text as `openImage` takes it, or an open Image. Throws as `openImage`.
 */
export async function inspectImage(
  image: string | Image,
  options: ImageOptions = {},
): Promise<InspectedImage> {
  return await withImage(image, options, async (opened) => describeImage(opened));
}

/**
 * Unpacks an image into `directory`, which is absent or empty unless `replace` is set: layers over each other, whiteouts and all,
 * verified, with modes and times but without owners and devices. It is in place when all of it is right; nothing is ever written
 * outside. `image` is a text as `openImage` takes it, or an open Image. `maxBytes` and `maxEntries` cap what it may unpack to;
 * layers that were fetched before an interruption are kept (in `temporaryDirectory`, else beside the target) for the next call.
 * Progress is in bytes fetched over all layers, then in entries put in place. The answer counts layers, entries and bytes, and
 * `warnings` are sentences about what was left out.
 *
 * Throws as `openImage`, and `path-invalid`, `size-mismatch`.
 */
export async function extractImage(
  image: string | Image,
  directory: string,
  options: ImageOptions & ExtractOptions = {},
): Promise<Extraction> {
  return await withImage(image, options, async (opened) => {
    const extraction = await unpackImage(opened, directory, options);
    const { warning } = opened;
    return warning === undefined
      ? extraction
      : { ...extraction, warnings: [warning, ...extraction.warnings] };
  });
}

/**
 * Makes an image of one or more tars, each a layer, bottom first, as the file `output`, which Docker, Podman, skopeo and
 * containerd take (an OCI layout and a `docker save` in one). `name` tags it; `platform` is this machine's architecture on linux by
 * default. The same tars give the same file. The answer has the manifest's digest, the image's ID, the layers and the size in bytes.
 *
 * Throws GranaryError: `reference-invalid`, `config-invalid`, `path-invalid`, `manifest-invalid`, `denied`, `store-full`,
 * `store-damaged`; and the signal's reason (`aborted` without one).
 */
export async function createImage(
  tars: string | readonly string[],
  options: Omit<CreateOptions, "platform"> & { readonly platform?: string },
): Promise<CreatedImage> {
  const { platform = formatPlatform(hostPlatform()), ...rest } = options;
  const layers = typeof tars === "string" ? [tars] : tars;
  return await endedBy(options.signal, () => writeImage(layers, { ...rest, platform }));
}
