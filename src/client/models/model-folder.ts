/**
 * Owns a model as a folder for people and for programs that want files: each part under its role's name, the manifest's bytes
 * last. It must never write outside the folder, whatever the manifest calls its parts.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeParents, makeRoot } from "../../files/directories.ts";
import { move } from "../../files/disk.ts";
import { onDisk } from "../../files/disk-error.ts";
import type { Reference } from "../../oci/reference.ts";
import type { Source } from "../../source.ts";
import { untilAborted } from "../../waiting/abort.ts";
import { distinctSize, type FetchBlobsOptions, fetchBlobs } from "../fetching/fetch-blobs.ts";
import { partialOf } from "../fetching/file-at-path.ts";
import { PhaseProgress } from "../fetching/progress.ts";
import { CONFIG_FILE, layerPaths, MANIFEST_FILE } from "./layer-paths.ts";
import { type FetchedModel, modelManifestFrom, partsOf } from "./model-manifest.ts";

const DIRECTORY_MODE = 0o755;

/**
 * Fetches all of the model into `directory`, which is made where it is missing; files of these names are replaced, others stay.
 * Throws what `modelManifestFrom` and `fetchBlobFrom` throw, `path-invalid` where something is in the way.
 */
export async function fetchToFolder(
  source: Source,
  reference: Reference,
  directory: string,
  options: FetchBlobsOptions,
): Promise<FetchedModel> {
  const model = await untilAborted(modelManifestFrom(source, reference), options.signal);
  const parts = partsOf(model);
  const names = [...layerPaths(model.layers), CONFIG_FILE];
  await makeRoot(directory);
  for (const name of names) await makeParents(directory, name, DIRECTORY_MODE);
  const wanted = parts.map((part, index) => ({ ...part, path: join(directory, names[index] ?? "") }));
  const progress = new PhaseProgress("fetch", distinctSize(wanted), options.onProgress);
  const blobs = await fetchBlobs(source, reference, wanted, progress, options);
  await writeWhole(join(directory, MANIFEST_FILE), model.manifest.bytes);
  progress.end();
  const fetched = wanted.map((part, index) => ({ ...part, fetched: blobs[index]?.fetched ?? 0 }));
  return { model, parts: fetched, otherWeights: [], fetched: sumOf(fetched) };
}

function sumOf(parts: readonly { readonly fetched: number }[]): number {
  return parts.reduce((sum, { fetched }) => sum + fetched, 0);
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const draft = partialOf(path).data;
  await onDisk(`writing ${draft}`, writeFile(draft, bytes));
  await move(draft, path);
}
