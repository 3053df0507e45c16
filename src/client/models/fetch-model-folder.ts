/**
 * Owns a model as a folder for people and for programs that want files: each part under its role's name, the manifest's bytes
 * last. It must never write outside the folder, whatever the manifest calls its parts.
 */
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { onDisk } from "../../files/disk-error.ts";
import { makeParents } from "../../files/make-parents.ts";
import type { Reference } from "../../oci/reference.ts";
import type { Source } from "../../source.ts";
import { untilAborted } from "../../waiting/abort.ts";
import { type FetchBlobsOptions, fetchBlobs } from "../fetching/fetch-blobs.ts";
import { partialOf } from "../fetching/path-blobs.ts";
import { type FetchedModel, partsOf } from "./fetched-model.ts";
import { CONFIG_FILE, layerPaths, MANIFEST_FILE } from "./layer-paths.ts";
import { makeRoot } from "./make-root.ts";
import { modelManifest } from "./model-manifest.ts";

const DIRECTORY_MODE = 0o755;

/**
 * Fetches all of the model into `directory`, which is made where it is missing; files of these names are replaced, others stay.
 * Throws what `modelManifest` and `fetchBlob` throw, `path-invalid` where something is in the way.
 */
export async function fetchModelFolder(
  source: Source,
  reference: Reference,
  directory: string,
  options: FetchBlobsOptions,
): Promise<FetchedModel> {
  const model = await untilAborted(modelManifest(source, reference), options.signal);
  const parts = partsOf(model);
  const names = [...layerPaths(model.layers), CONFIG_FILE];
  await makeRoot(directory);
  for (const name of names) await makeParents(directory, name, DIRECTORY_MODE);
  const wanted = parts.map((part, index) => ({ ...part, path: join(directory, names[index] ?? "") }));
  const blobs = await fetchBlobs(source, reference, wanted, options);
  await writeWhole(join(directory, MANIFEST_FILE), model.manifest.bytes);
  const fetched = wanted.map((part, index) => ({ ...part, fetched: blobs[index]?.fetched ?? 0 }));
  return { model, parts: fetched, otherWeights: [], fetched: sumOf(fetched) };
}

function sumOf(parts: readonly { readonly fetched: number }[]): number {
  return parts.reduce((sum, { fetched }) => sum + fetched, 0);
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const draft = partialOf(path).data;
  await onDisk(`writing ${draft}`, writeFile(draft, bytes));
  await onDisk(`renaming ${draft}`, rename(draft, path));
}
