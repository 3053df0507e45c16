/** Owns the library's functions for models: names as people type them in, client functions bound to a Source. */
import type { FetchBlobOptions } from "../client/fetching/fetch-blob.ts";
import type { FetchBlobsOptions } from "../client/fetching/fetch-blobs.ts";
import { fetchModelFrom, fetchWeightsFrom, type ModelTarget } from "../client/models/fetch-model.ts";
import { inspectModelFrom, type ModelInspection } from "../client/models/inspect-model.ts";
import {
  type FetchedModel,
  type ModelManifest,
  modelManifestFrom,
  weightsOf,
} from "../client/models/model-manifest.ts";
import { parseModelName } from "../ollama/model-name.ts";
import type { ModelLayer } from "../ollama/model-view.ts";
import { untilAborted } from "../waiting/abort.ts";
import { withSource } from "./default-source.ts";
import type { LibraryOptions } from "./library-options.ts";

/** The first weights of a model, and the further parts of a split one, in order. */
export type ModelWeights = ModelLayer & { readonly others: readonly ModelLayer[] };

/**
 * The manifest that `name` (`[[host[:port]/]namespace/]model[:tag][@digest]`) stands for: its exact bytes and digest (the ID that
 * Ollama lists), config and layers with digest, size in bytes, media type and role, and the size of all together.
 *
 * Throws GranaryError: `reference-invalid`, `config-invalid`, `not-found`, `unauthorized`, `denied`, `client-outdated`,
 * `rate-limited`, `manifest-invalid`, `upstream-unavailable`, `upstream-protocol`; and the signal's reason (`aborted` without one).
 */
export async function modelManifest(name: string, options: LibraryOptions = {}): Promise<ModelManifest> {
  const reference = parseModelName(name);
  return await withSource(options, (source) =>
    untilAborted(modelManifestFrom(source, reference), options.signal),
  );
}

/**
 * Which blob holds the model's weights: digest, size in bytes, media type. A model whose weights are split has the further parts
 * in `others`. Throws as `modelManifest`, and `manifest-invalid` where there are no weights.
 */
export async function modelWeights(name: string, options: LibraryOptions = {}): Promise<ModelWeights> {
  const [first, ...others] = weightsOf(await modelManifest(name, options));
  return { ...first, others };
}

/**
 * Brings the model's weights to the file `path`, as `fetchBlob` does it: verified, resumed, in place when whole. Of a split
 * model it is the first part, and `otherWeights` of the result names the others. Progress is in bytes. Throws as
 * `modelWeights` and `fetchBlob`; a model that is not there leaves no file behind.
 */
export async function fetchModelWeights(
  name: string,
  path: string,
  options: LibraryOptions & FetchBlobOptions = {},
): Promise<FetchedModel> {
  const reference = parseModelName(name);
  return await withSource(options, (source) => fetchWeightsFrom(source, reference, path, options));
}

/**
 * Brings all of a model to disk, or what `target` takes of it: `{ directory }` gets every layer, config and manifest as files
 * named for their roles, `{ ollamaStore }` (what OLLAMA_MODELS points at) gets them so that Ollama runs the model without
 * pulling, `{ file }` gets the weights alone. What is there already is not fetched again; layers of a kind that is not known
 * are kept. Progress is in bytes of all parts together. Throws as `fetchModelWeights`.
 */
export async function fetchModel(
  name: string,
  target: ModelTarget,
  options: LibraryOptions & FetchBlobsOptions = {},
): Promise<FetchedModel> {
  const reference = parseModelName(name);
  return await withSource(options, (source) => fetchModelFrom(source, reference, target, options));
}

/**
 * What can be told of a model without its weights, as one plain JSON value: digests, sizes in bytes, roles, config, and the texts of
 * its template, system prompt, parameters and messages. Throws as `modelManifest`, and `digest-mismatch`.
 */
export async function inspectModel(name: string, options: LibraryOptions = {}): Promise<ModelInspection> {
  const reference = parseModelName(name);
  return await withSource(options, (source) => inspectModelFrom(source, reference, options));
}
