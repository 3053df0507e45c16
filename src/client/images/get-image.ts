/** Owns getImage: from a reference to one image of one platform. It fetches no layer. */
import type { Platform } from "../../oci/descriptor.ts";
import type { Reference } from "../../oci/reference.ts";
import type { Source } from "../../source.ts";
import { chooseImage } from "./choose-image.ts";
import type { Image } from "./image.ts";

export type PlatformOption = {
  /** By default Linux on this machine's architecture (our choice: an image for another system is rarely wanted). */
  readonly platform?: Platform;
};

/**
 * The image that `reference` names: of an index the child that serves the platform best, never an attestation. An image
 * that no index lists is checked by its own config: made for another platform than the one asked for it is `not-found`;
 * where none was asked for it is taken, and `warning` says so. An artifact is taken as it is: its `config` then has the
 * platform unknown/unknown, no diff IDs, and a document that is empty unless it is a JSON object.
 *
 * Throws `not-found` (the message lists the platforms that there are), `manifest-invalid`, and what `source` throws.
 */
export async function getImage(
  source: Source,
  reference: Reference,
  { platform }: PlatformOption = {},
): Promise<Image> {
  return await chooseImage(source, reference, await source.manifest(reference), platform);
}
