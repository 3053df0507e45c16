/** Owns the sizes of an image: what crosses the network, and what that unpacks to. It keeps no byte. */
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import { isImageConfigType } from "../../oci/image-view.ts";
import { OCTET_STREAM } from "../../oci/media-types.ts";
import { decompress } from "../archives/decompress.ts";
import { blobChunks } from "../fetching/blob-chunks.ts";
import { PhaseProgress, type VerbOptions } from "../fetching/progress.ts";
import { openBlob } from "../fetching/read-blob.ts";
import type { Image } from "./image.ts";

/** Layers of images and of charts are tars; those of models and other artifacts are files, which nobody unpacks. */
const TAR = /[./+]tar(?:[.+]|$)/;

/** Bytes of all layers as they are stored and sent, without config and manifest. */
export function layersSize({ view }: Image): number {
  return view.layers.reduce((sum, { size }) => sum + size, 0);
}

/**
 * Bytes of all layers unpacked: no manifest tells them, so every tar is read from the Source, verified, and counted; a layer
 * that stands in the image twice is read once. `onProgress` counts the bytes read. Throws what a blob's reader throws,
 * `manifest-invalid` for damaged data, and `aborted`.
 */
export async function uncompressedSize(image: Image, options: VerbOptions = {}): Promise<number> {
  const { layers } = image.view;
  const tars = new Map<Digest, Descriptor>();
  for (const layer of layers) if (isTar(layer, image)) tars.set(layer.digest, layer);
  const total = [...tars.values()].reduce((sum, { size }) => sum + size, 0);
  const progress = new PhaseProgress("fetch", total, options.onProgress);
  const sizes = new Map<Digest, number>();
  for (const layer of tars.values()) {
    sizes.set(layer.digest, await plainSizeOf(image, layer, options, progress));
  }
  progress.end();
  return layers.reduce((sum, { digest, size }) => sum + (sizes.get(digest) ?? size), 0);
}

async function plainSizeOf(
  { source, reference }: Image,
  layer: Descriptor,
  options: VerbOptions,
  progress: PhaseProgress,
): Promise<number> {
  const reader = openBlob(source, reference, layer, options);
  const input = blobChunks(reader, (count) => progress.add(count));
  try {
    let size = 0;
    for await (const chunk of decompress(input.chunks)) size += chunk.length;
    // Padding may follow what unpacks, and the verdict on the digest comes after all of it.
    await input.drain();
    return size;
  } finally {
    reader.close();
  }
}

/** Some writers give the layers of images no type. */
function isTar({ mediaType }: Descriptor, { view }: Image): boolean {
  return TAR.test(mediaType) || (mediaType === OCTET_STREAM && isImageConfigType(view.config.mediaType));
}
