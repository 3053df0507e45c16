/**
 * Owns bringing a model to disk in one of three forms: its weights as one file, all of it as a folder by role, or all of it
 * into Ollama's own store. What a model consists of is model-manifest.ts's.
 */
import type { Reference } from "../../oci/reference.ts";
import type { Source } from "../../source.ts";
import { untilAborted } from "../../waiting/abort.ts";
import { type FetchBlobOptions, fetchBlobFrom } from "../fetching/fetch-blob.ts";
import type { FetchBlobsOptions } from "../fetching/fetch-blobs.ts";
import { fetchToFolder } from "./model-folder.ts";
import { type FetchedModel, modelManifestFrom, weightsOf } from "./model-manifest.ts";
import { fetchToOllamaStore } from "./ollama-store.ts";

export type ModelTarget =
  /** The weights alone, as one file. */
  | { readonly file: string }
  /** Every layer, config and manifest, each a file named for its role. */
  | { readonly directory: string }
  /** What OLLAMA_MODELS points at. */
  | { readonly ollamaStore: string };

/**
 * Fetches the model that `reference` names to `target`; what is there already is not fetched again. Progress is that of all
 * parts together. Throws what `modelManifestFrom`, `fetchBlobFrom` and the target's own function throw.
 */
export function fetchModelFrom(
  source: Source,
  reference: Reference,
  target: ModelTarget,
  options: FetchBlobsOptions = {},
): Promise<FetchedModel> {
  if ("file" in target) return fetchWeightsFrom(source, reference, target.file, options);
  if ("directory" in target) return fetchToFolder(source, reference, target.directory, options);
  return fetchToOllamaStore(source, reference, target.ollamaStore, options);
}

/**
 * The weights as the file `path`: the first layer of them, and the result names the others (`otherWeights`). A model that is not
 * there leaves no file behind. Throws what `weightsOf` and `fetchBlobFrom` throw.
 */
export async function fetchWeightsFrom(
  source: Source,
  reference: Reference,
  path: string,
  options: FetchBlobOptions = {},
): Promise<FetchedModel> {
  const model = await untilAborted(modelManifestFrom(source, reference), options.signal);
  const [layer, ...otherWeights] = weightsOf(model);
  const blob = await fetchBlobFrom(source, { repository: reference, ...layer }, path, options);
  return { model, parts: [{ ...layer, path, fetched: blob.fetched }], otherWeights, fetched: blob.fetched };
}
