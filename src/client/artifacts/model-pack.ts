/** Owns the words of the CNCF ModelPack specification: its types, and where it says what a layer's file is called. Pure. */
import type { ImageView } from "../../oci/image-view.ts";

const MANIFEST_TYPE = "application/vnd.cncf.model.manifest.v1+json";
const CONFIG_TYPE = "application/vnd.cncf.model.config.v1+json";

/** Annotation of a layer: the relative path of its file. */
export const MODEL_PACK_PATH = "org.cncf.model.filepath";

/** True when the manifest says so itself, or by the type of its config. */
export function isModelPack({ artifactType, config }: Pick<ImageView, "artifactType" | "config">): boolean {
  return artifactType === MANIFEST_TYPE || config.mediaType === CONFIG_TYPE;
}
