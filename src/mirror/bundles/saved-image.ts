/**
 * Owns which image of a name the manifest.json of a bundle lists, for readers that know no OCI layout: older Dockers and crane. They have one
 * platform for a name, so only a name of which the bundle has one platform is listed. Pure.
 */
import type { SavedImage } from "../../bundle/bundle-index.ts";
import type { BundleName } from "../../bundle/bundle-name.ts";
import type { Parts } from "../../bundle/parts-of.ts";
import { isGranaryError } from "../../errors.ts";
import { type ImageView, isImageConfigType, viewImage } from "../../oci/image-view.ts";
import type { Manifest } from "../../oci/manifest.ts";

/** Plain, or compressed in the one way that all of these readers know. */
const LAYER =
  /^application\/vnd\.(?:oci\.image\.layer\.v1\.tar|docker\.image\.rootfs\.diff\.tar)(?:[+.]gzip)?$/;

/** undefined for what those readers could not use: a model, an artifact, several platforms. */
export function savedImageOf(name: BundleName, { manifests }: Parts): SavedImage | undefined {
  const images = manifests.flatMap(({ manifest }) => imageIn(manifest) ?? []);
  const [image, ...others] = images;
  if (image === undefined || others.length > 0) return undefined;
  return { name, config: image.config.digest, layers: image.layers.map(({ digest }) => digest) };
}

function imageIn(manifest: Manifest): ImageView | undefined {
  try {
    const view = viewImage(manifest);
    const isImage = view.kind === "image" && isImageConfigType(view.config.mediaType);
    return isImage && view.layers.every(({ mediaType }) => LAYER.test(mediaType)) ? view : undefined;
  } catch (error) {
    if (isGranaryError(error, "manifest-invalid")) return undefined;
    throw error;
  }
}
