/** Owns FetchedModel: what a fetch of a model put on disk, in numbers and paths. Pure data. */

import type { Descriptor } from "../../oci/descriptor.ts";
import type { ModelLayer } from "../../ollama/model-view.ts";
import type { ModelManifest } from "./model-manifest.ts";

/** A layer, or the config as a part of its own. */
export type ModelPart = ModelLayer;

export type FetchedPart = ModelPart & {
  readonly path: string;
  /** Body bytes that were received for it: 0 when it was there already. */
  readonly fetched: number;
};

export type FetchedModel = {
  readonly model: ModelManifest;
  /** What lies on disk now, in the manifest's order, the config last. */
  readonly parts: readonly FetchedPart[];
  /** Weights that were left out because the target takes one file: the further parts of a split model, in order. */
  readonly otherWeights: readonly ModelLayer[];
  /** Body bytes that were received in all. */
  readonly fetched: number;
};

/** Everything that the manifest lists, the config last. */
export function partsOf({ layers, config }: Pick<ModelManifest, "layers" | "config">): ModelPart[] {
  return [...layers, asPart(config)];
}

function asPart(config: Descriptor): ModelPart {
  return { ...config, role: "config" };
}
