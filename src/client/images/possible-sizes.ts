/** Owns the sizes of an image whose document states some that cannot be: 0 of what is not empty. The Source knows better. */
import type { Descriptor } from "../../oci/descriptor.ts";
import { possibleSize } from "../../oci/digest.ts";
import type { ImageView } from "../../oci/image-view.ts";
import type { Repository } from "../../oci/reference.ts";
import type { Source } from "../../source.ts";

/** `view`, with sizes that can be those of its digests: one question for each that needs one. Throws what `Source.blobSize` throws. */
export async function withPossibleSizes(
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
