/**
 * Owns a model's way into Ollama's own store, so that `ollama` runs it without pulling: blobs first, the manifest last and whole.
 * Safe beside a running `ollama serve`: that one sees a model only when all of it is there, and what it removes meanwhile is
 * fetched again.
 */
import { GranaryError } from "../../errors.ts";
import { lookThrough } from "../../files/disk.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Reference } from "../../oci/reference.ts";
import type { ModelLayer } from "../../ollama/model-view.ts";
import { storedNameOf } from "../../ollama/stored-name.ts";
import type { Source } from "../../source.ts";
import { untilAborted } from "../../waiting/abort.ts";
import { distinctSize, type FetchBlobsOptions } from "../fetching/fetch-blobs.ts";
import { PhaseProgress } from "../fetching/progress.ts";
import { fetchStoredBlobs } from "./fetch-stored-blobs.ts";
import { type FetchedModel, type ModelManifest, modelManifestFrom, partsOf } from "./model-manifest.ts";
import { ollamaLayout } from "./ollama-layout.ts";
import { writeStoredManifest } from "./write-stored-manifest.ts";

/** `ollama rm` of a model that shares blobs can take them away before our manifest protects them; twice in a row is unlikely. */
const ROUNDS = 3;

/**
 * Fetches all of the model into `directory`, which is what OLLAMA_MODELS points at. Throws `reference-invalid` for a name
 * that Ollama would not list (no tag, for one), and what `modelManifestFrom` and `fetchBlobFrom` throw.
 */
export async function fetchToOllamaStore(
  source: Source,
  reference: Reference,
  directory: string,
  options: FetchBlobsOptions,
): Promise<FetchedModel> {
  const name = storedNameOf(reference);
  const layout = ollamaLayout(directory);
  const model = await untilAborted(modelManifestFrom(source, reference), options.signal);
  const wanted = partsOf(model).map((part) => ({ ...part, path: layout.blob(part.digest) }));
  const received = new Map<Digest, number>();
  const progress = new PhaseProgress("fetch", distinctSize(wanted), options.onProgress);
  for (let round = 0; round < ROUNDS; round++) {
    const blobs = await fetchStoredBlobs(source, reference, wanted, layout, progress, options);
    for (const [digest, count] of blobs) received.set(digest, count + (received.get(digest) ?? 0));
    await writeStoredManifest(layout, name, model.manifest.bytes);
    if (!(await areAllThere(wanted))) continue;
    progress.end();
    return fetchedModel(model, wanted, received);
  }
  const message = `Blobs disappear from ${layout.blobs} as soon as they are there: see what removes them.`;
  throw new GranaryError("store-damaged", message, { target: layout.blobs });
}

type Placed = ModelLayer & { readonly path: string };

async function areAllThere(wanted: readonly Placed[]): Promise<boolean> {
  const sizes = await Promise.all(wanted.map(async ({ path }) => (await lookThrough(path))?.size));
  return wanted.every(({ size }, index) => sizes[index] === size);
}

/** A blob that several parts share was received for the first of them. */
function fetchedModel(
  model: ModelManifest,
  wanted: readonly Placed[],
  received: Map<Digest, number>,
): FetchedModel {
  const fetched = [...received.values()].reduce((sum, count) => sum + count, 0);
  const parts = wanted.map((part) => {
    const count = received.get(part.digest) ?? 0;
    received.delete(part.digest);
    return { ...part, fetched: count };
  });
  return { model, parts, otherWeights: [], fetched };
}
