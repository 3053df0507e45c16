/** Owns the question which digest a reference stands for now, and of what. It fetches no more than the answer needs. */
import type { Platform } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import { viewImage } from "../../oci/image-view.ts";
import { isIndexType } from "../../oci/media-types.ts";
import { pickChild } from "../../oci/pick-child.ts";
import type { Reference } from "../../oci/reference.ts";
import type { Source } from "../../source.ts";
import { chooseImage, type PlatformOption } from "./image.ts";

export type ImageDigest = {
  readonly digest: Digest;
  /** "index": the digest of all platforms together. "image": of one. */
  readonly kind: "index" | "image";
  /** What the image is made for; only where a platform was asked for. */
  readonly platform?: Platform;
};

/**
 * Without a platform the digest of what `reference` names, an index where it is one; with a platform the digest of that
 * child. Throws what `imageFrom` throws.
 */
export async function imageDigestFrom(
  source: Source,
  reference: Reference,
  { platform }: PlatformOption = {},
): Promise<ImageDigest> {
  if (platform === undefined) {
    const { digest, mediaType } = await source.headManifest(reference);
    return { digest, kind: isIndexType(mediaType) ? "index" : "image" };
  }
  const named = await source.manifest(reference);
  const view = viewImage(named);
  const child = view.kind === "index" ? pickChild(view.children, platform) : undefined;
  if (child?.platform !== undefined && !isIndexType(child.mediaType)) {
    return { digest: child.digest, kind: "image", platform: child.platform };
  }
  const image = await chooseImage(source, reference, named, platform);
  return { digest: image.manifest.digest, kind: "image", platform: image.config.platform };
}
