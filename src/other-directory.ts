/**
 * Owns the storage directory of another Granary as something to import from: every tag whose parts are wholly there, and the
 * signatures and their like that are. It is only read. Blobs are
 * copied and not linked: each Granary must be able to set its own file aside, and to remove it, for itself.
 */
import { type ListedName, MOST_NAMES } from "./bundle/bundle-index.ts";
import { bundleParts } from "./bundle/parts-of.ts";
import { offered } from "./client/imports/archive-imports.ts";
import type { ImportSource } from "./client/imports/import-source.ts";
import { GranaryError, isGranaryError } from "./errors.ts";
import { type CopiedDatabase, openCopy } from "./metadata/copy-of-database.ts";
import { isSoundManifest, type Manifest } from "./oci/manifest.ts";
import type { BlobStore } from "./store/blob-store.ts";
import { openDiskBlobs } from "./store/disk-blobs.ts";
import { findStorage } from "./store/storage-directory.ts";

/** Throws `config-invalid` where there is no storage directory, or a running Granary has it; `store-damaged`. */
export async function openDirectoryImports(directory: string): Promise<ImportSource> {
  const layout = await findStorage(directory);
  const store = openDiskBlobs(layout);
  const database = await openCopy(layout.database).catch((error: unknown) => {
    const isHeld = isGranaryError(error) && error.facts.isInUse === true;
    throw isHeld ? inUse(layout.directory, error) : error;
  });
  try {
    const tags: readonly ListedName[] = database.tags(MOST_NAMES);
    const names = [...tags, ...(await wholeOnes(database, store, MOST_NAMES - tags.length))];
    return {
      path: layout.directory,
      names,
      manifest: async (digest) => {
        const manifest = database.manifest(digest);
        const isUsable = manifest !== undefined && isSoundManifest(manifest);
        return isUsable && (await isWhole(manifest, store)) ? manifest.bytes : undefined;
      },
      blob: async (digest) => {
        const stored = await store.open(digest);
        return stored && offered(stored);
      },
      close: () => database.close(),
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Nobody asked for those by a name, so what is not whole of them is left out. */
async function wholeOnes(database: CopiedDatabase, store: BlobStore, limit: number): Promise<ListedName[]> {
  const whole: ListedName[] = [];
  for (const name of database.attached(Math.max(0, limit))) {
    const manifest = database.manifest(name.digest);
    if (manifest !== undefined && isSoundManifest(manifest) && (await isWhole(manifest, store)))
      whole.push(name);
  }
  return whole;
}

/** Of an image that somebody began to pull, or of which another platform was pulled, not all is there: it counts as absent. */
async function isWhole(manifest: Manifest, store: BlobStore): Promise<boolean> {
  const { digest, bytes } = manifest;
  try {
    const { blobs } = bundleParts(manifest, new Map([[digest, bytes]]), digest);
    for (const blob of blobs.keys()) if ((await store.stat(blob)) === undefined) return false;
    return true;
  } catch (error) {
    if (isGranaryError(error, "upstream-protocol")) return false;
    throw error;
  }
}

function inUse(directory: string, cause: GranaryError): GranaryError {
  const text = `A Granary runs in ${directory}: export a bundle from it (granary bundle export --directory ${directory}), or stop it first.`;
  return new GranaryError("config-invalid", text, { target: directory, saysWhatToDo: true, cause });
}
