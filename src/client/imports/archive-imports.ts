/**
 * Owns archives of images as something to import from: every name of an OCI layout (a folder or a tar), or of what `docker save` wrote. Digests
 * are those of the archive: a Docker that saves its layers unpacked has others than the registry from which it pulled them.
 */
import { type ListedName, MOST_INDEX_BYTES, parseBundleIndex } from "../../bundle/bundle-index.ts";
import { GranaryError } from "../../errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { MAX_MANIFEST_BYTES } from "../../oci/manifest.ts";
import { type ArchiveFiles, chunksOf, readStored, type StoredBytes } from "../archives/archive-files.ts";
import { imagesInSave } from "../archives/docker-save.ts";
import { blobName } from "../archives/oci-layout.ts";
import { openArchiveFiles } from "../archives/open-archive.ts";
import { openTar } from "../archives/tar-files.ts";
import { type TemporaryOptions, temporaryFile } from "../archives/temporary-file.ts";
import type { ImportSource, OfferedBlob } from "./import-source.ts";

/** `oci` must be an OCI layout; `any` may be what `docker save` wrote as well, which since Docker 25 is both: the layout counts then. */
export type ArchiveKind = "any" | "oci";

/**
 * Opens the archive at `path`. Throws what `openArchive` throws of files, `path-invalid` for what is no archive of that kind, and
 * `manifest-invalid` for one whose list cannot be read.
 */
export async function openArchiveImports(
  path: string,
  kind: ArchiveKind,
  options: TemporaryOptions = {},
): Promise<ImportSource> {
  const files = await openArchiveFiles(path, options);
  return await archiveImports(files, kind, options.signal);
}

/** The same for a stream, which is put into a nameless temporary file: what is read of it first may stand at its end. */
export async function openStreamImports(
  stream: AsyncIterable<Uint8Array>,
  kind: ArchiveKind,
  options: TemporaryOptions,
): Promise<ImportSource> {
  const files = await openTar(await temporaryFile(stream, options), "standard input", options);
  return await archiveImports(files, kind, options.signal);
}

/** The same for files that are open; takes them over: closed with the source, and when this throws. */
async function archiveImports(
  files: ArchiveFiles,
  kind: ArchiveKind,
  signal?: AbortSignal,
): Promise<ImportSource> {
  try {
    const layout = await layoutImports(files);
    const found = layout ?? (kind === "oci" ? undefined : await saveImports(files, signal));
    if (found !== undefined) return found;
    const wanted = kind === "oci" ? "index.json" : "index.json and no manifest.json";
    const message = `${files.path} has nothing that could be imported: it has no ${wanted}.`;
    throw new GranaryError("path-invalid", message, { target: files.path });
  } catch (error) {
    await files.close();
    throw error;
  }
}

async function layoutImports(files: ArchiveFiles): Promise<ImportSource | undefined> {
  const stored = await files.open("index.json");
  if (stored === undefined) return undefined;
  const names = parseBundleIndex(
    await readStored(stored, MOST_INDEX_BYTES, "index.json").finally(() => stored.close()),
  );
  return importsFrom(files, names, (digest) => files.open(blobName(digest)));
}

/** `docker save` has no manifests in a registry's sense: one is made for each image, the same one each time. */
async function saveImports(
  files: ArchiveFiles,
  signal: AbortSignal | undefined,
): Promise<ImportSource | undefined> {
  const images = await imagesInSave(files, signal);
  if (images === undefined) return undefined;
  const names: ListedName[] = [];
  const owners = new Map<Digest, (digest: Digest) => Promise<StoredBytes | undefined>>();
  for (const { references, image } of images) {
    const { digest } = image.reference;
    if (digest === undefined) continue;
    const manifest = await image.open(digest);
    const listed = { digest, mediaType: image.mediaType, size: manifest?.size ?? 0 };
    await manifest?.close();
    owners.set(digest, image.open);
    for (const { registry, repository, tag } of references)
      names.push({ ...listed, upstream: registry, repository, tag });
    if (references.length === 0)
      names.push({ ...listed, upstream: undefined, repository: undefined, tag: undefined });
  }
  return importsFrom(files, names, async (digest) => {
    for (const open of owners.values()) {
      const found = await open(digest);
      if (found !== undefined) return found;
    }
    return undefined;
  });
}

function importsFrom(
  files: ArchiveFiles,
  names: readonly ListedName[],
  open: (digest: Digest) => Promise<StoredBytes | undefined>,
): ImportSource {
  return {
    path: files.path,
    names,
    manifest: async (digest) => {
      const stored = await open(digest);
      if (stored === undefined) return undefined;
      return await readStored(stored, MAX_MANIFEST_BYTES, `Manifest ${digest}`).finally(() => stored.close());
    },
    blob: async (digest) => {
      const stored = await open(digest);
      return stored && offered(stored);
    },
    close: () => files.close(),
  };
}

/** A file as a blob. */
export function offered(stored: StoredBytes): OfferedBlob {
  return {
    size: stored.size,
    async *chunks(signal) {
      try {
        yield* chunksOf(stored, signal === undefined ? {} : { signal });
      } finally {
        await stored.close();
      }
    },
    close: () => stored.close(),
  };
}
