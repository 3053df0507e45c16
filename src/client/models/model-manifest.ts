/**
 * Owns what a model consists of: its manifest, bytes and view, its parts, which of them are the weights, and what is told of them once
 * they were brought to disk. It fetches no blob.
 */
import { GranaryError, isGranaryError } from "../../errors.ts";
import type { Manifest } from "../../oci/manifest.ts";
import { formatReference, type Reference } from "../../oci/reference.ts";
import { kindOf, type ModelLayer, type ModelView, viewModel } from "../../ollama/model-view.ts";
import type { Source } from "../../source.ts";

export type ModelManifest = ModelView & {
  readonly reference: Reference;
  /** The exact bytes; their digest is the ID that Ollama lists. */
  readonly manifest: Manifest;
};

export type FetchedPart = ModelLayer & {
  readonly path: string;
  /** Body bytes that were received for it: 0 when it was there already. */
  readonly fetched: number;
};

/** What a fetch of a model put on disk. */
export type FetchedModel = {
  readonly model: ModelManifest;
  /** What lies on disk now, in the manifest's order, the config last. */
  readonly parts: readonly FetchedPart[];
  /** Weights that were left out because the target takes one file: the further parts of a split model, in order. */
  readonly otherWeights: readonly ModelLayer[];
  /** Body bytes that were received in all. */
  readonly fetched: number;
};

/**
 * What `reference` names. Throws what `Source.manifest` throws (`not-found` names the model), and `manifest-invalid` for what
 * is no model's manifest.
 */
export async function modelManifestFrom(source: Source, reference: Reference): Promise<ModelManifest> {
  const manifest = await source.manifest(reference);
  try {
    return { reference, manifest, ...viewModel(manifest) };
  } catch (error) {
    if (!isGranaryError(error, "manifest-invalid")) throw error;
    const target = formatReference(reference);
    throw new GranaryError(error.code, `${target}: ${error.message}`, {
      ...error.facts,
      cause: error,
      target,
    });
  }
}

/** Everything that the manifest lists, the config last. */
export function partsOf({ layers, config }: Pick<ModelManifest, "layers" | "config">): ModelLayer[] {
  return [...layers, { ...config, role: "config" }];
}

/** The weights in the manifest's order: one layer, or the parts of a split one. Throws `manifest-invalid` when there are none. */
export function weightsOf({ reference, layers }: ModelManifest): [ModelLayer, ...ModelLayer[]] {
  const [first, ...others] = layers.filter(({ role }) => role === "model");
  if (first !== undefined) return [first, ...others];
  const target = formatReference(reference);
  const found = [...new Set(layers.map(({ role }) => role))].join(", ") || "no layers";
  // A model whose weights are many files comes as a whole; so does what is no model at all.
  const isRather = kindOf(layers) === "image" ? "image" : "model";
  const message = `${target} has no weights in one file (it has ${found}).`;
  throw new GranaryError("manifest-invalid", message, { target, expected: "model", found, isRather });
}
