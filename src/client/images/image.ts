/** Owns Image: one image of one platform, chosen and checked, with the Source that its blobs are read from. Pure data. */
import type { ImageConfig, ImageView } from "../../oci/image-view.ts";
import type { Manifest } from "../../oci/manifest.ts";
import type { Reference } from "../../oci/reference.ts";
import type { Source } from "../../source.ts";

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
