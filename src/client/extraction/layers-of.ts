/**
 * Owns which layers of an image can be unpacked: media types of file systems, and a diff ID for each. Compression is told by
 * the bytes, not here. Pure.
 */
import { GranaryError } from "../../errors.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import { kindOf } from "../../ollama/model-view.ts";
import type { Image } from "../images/image.ts";

export type Layer = {
  readonly descriptor: Descriptor;
  /** Of the uncompressed archive. */
  readonly diffId: Digest;
};

const LAYER =
  /^application\/vnd\.(?:oci\.image\.layer\.v1|docker\.image\.rootfs\.diff)\.tar(?:[.+](?:gzip|zstd))?$/;
const FOREIGN = /\.(?:foreign|nondistributable)\./;

/** Bottom first. Throws `manifest-invalid` for what is no image of a file system. */
export function layersOf({ view, config }: Image): readonly Layer[] {
  const { layers } = view;
  for (const [index, { mediaType }] of layers.entries()) checkType(mediaType, index, layers);
  const { diffIds } = config;
  if (diffIds.length !== layers.length) {
    const found = `${layers.length} layers, and its config has ${diffIds.length} diff IDs`;
    throw new GranaryError("manifest-invalid", `The image has ${found}: it is damaged, have it made again.`, {
      expected: diffIds.length,
      found: layers.length,
    });
  }
  return layers.flatMap((descriptor, index) => {
    const diffId = diffIds[index];
    return diffId === undefined ? [] : [{ descriptor, diffId }];
  });
}

function checkType(mediaType: string, index: number, layers: readonly Descriptor[]): void {
  if (LAYER.test(mediaType)) return;
  const isForeign = FOREIGN.test(mediaType);
  const what = isForeign
    ? `is ${mediaType}, which no registry passes on: get it from whoever made the image`
    : `is ${mediaType}, which is no layer of a file system: this is an artifact`;
  throw new GranaryError("manifest-invalid", `Layer ${index + 1} of the image ${what}.`, {
    found: mediaType,
    ...(!isForeign && { isRather: kindOf(layers) }),
  });
}
