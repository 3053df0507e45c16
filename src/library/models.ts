/** Owns the library's functions for models: names as people type them in, client functions bound to a Source. */
import type { FetchBlobOptions } from "../client/fetching/fetch-blob.ts";
import type { FetchBlobsOptions } from "../client/fetching/fetch-blobs.ts";
import {
  fetchModel as fetchModelFrom,
  fetchModelWeights,
  type ModelTarget,
} from "../client/models/fetch-model.ts";
import type { FetchedModel } from "../client/models/fetched-model.ts";
import { inspectModel as inspectModelOf, type ModelInspection } from "../client/models/inspect-model.ts";
import { type ModelManifest, modelManifest, weightsOf } from "../client/models/model-manifest.ts";
import { parseModelName } from "../ollama/model-name.ts";
import type { ModelLayer } from "../ollama/model-view.ts";
import { untilAborted } from "../waiting/abort.ts";
import { withSource } from "./default-source.ts";
import type { LibraryOptions } from "./library-options.ts";

/** The first weights of a model, and the further parts of a split one, in order. */
export type ModelBlob = ModelLayer & { readonly others: readonly ModelLayer[] };

/**
 * The manifest that `name` (`[[host[:port]/]namespace/]model[:tag][@digest]`) stands for: its exact bytes and digest (the ID that
 * Ollama lists), config and layers with digest, size in bytes, media type and role, and the size of all together.
 *
 * Throws GranaryError: `reference-invalid`, `config-invalid`, `not-found`, `unauthorized`, `denied`, `client-outdated`,
 * `rate-limited`, `manifest-invalid`, `upstream-unavailable`, `upstream-protocol`, `aborted`.
 */
export async function ollamaModelManifest(
  name: string,
  options: LibraryOptions = {},
): Promise<ModelManifest> {
  const reference = parseModelName(name);
  return await withSource(options, (source) =>
    untilAborted(modelManifest(source, reference), options.signal),
  );
}

/**
 * Which blob holds the model's weights: digest, size in bytes, media type. A model whose weights are split has the further parts
 * in `others`. Throws as `ollamaModelManifest`, and `manifest-invalid` where there are no weights.
 */
export async function ollamaModelBlob(name: string, options: LibraryOptions = {}): Promise<ModelBlob> {
  const reference = parseModelName(name);
  const model = await withSource(options, (source) =>
    untilAborted(modelManifest(source, reference), options.signal),
  );
  const [first, ...others] = weightsOf(model);
  return { ...first, others };
}

/**
 * Brings the model's weights to the file `path`, as `fetchImageBlob` does it: verified, resumed, in place when whole. Of a split
 * model it is the first part, and `otherWeights` of the result names the others. Progress is in bytes. Throws as
 * `ollamaModelBlob` and `fetchImageBlob`; a model that is not there leaves no file behind.
 */
export async function ollamaFetchModel(
  name: string,
  path: string,
  options: LibraryOptions & FetchBlobOptions = {},
): Promise<FetchedModel> {
  const reference = parseModelName(name);
  return await withSource(options, (source) => fetchModelWeights(source, reference, path, options));
}

/**
 * Brings all of a model to disk, or what `target` takes of it: `{ directory }` gets every layer, config and manifest as files
 * named for their roles, `{ ollamaStore }` (what OLLAMA_MODELS points at) gets them so that Ollama runs the model without
 * pulling, `{ file }` gets the weights alone. What is there already is not fetched again; layers of a kind that is not known
 * are kept. Progress is in bytes of all parts together. Throws as `ollamaFetchModel`.
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
 * its template, system prompt, parameters and messages. Throws as `ollamaModelManifest`, and `digest-mismatch`.
 */
export async function inspectModel(name: string, options: LibraryOptions = {}): Promise<ModelInspection> {
  const reference = parseModelName(name);
  return await withSource(options, (source) => inspectModelOf(source, reference, options));
}
