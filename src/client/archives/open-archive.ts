/**
 * Owns the opening of images that lie in a file or folder: what `docker save`, skopeo, Podman, buildah, umoci and BuildKit
 * write. The form is detected; a file that is both is read as an OCI layout.
 */
import { constants } from "node:fs";
import { realpath } from "node:fs/promises";
import { GranaryError } from "../../errors.ts";
import { lookThrough } from "../../files/disk.ts";
import { diskError, errnoOf } from "../../files/disk-error.ts";
import { OpenFile } from "../../files/open-file.ts";
import type { Reference } from "../../oci/reference.ts";
import type { Source } from "../../source.ts";
import type { ArchiveFiles } from "./archive-files.ts";
import { archiveSource } from "./archive-source.ts";
import { directoryFiles } from "./directory-files.ts";
import { findInSave } from "./docker-save.ts";
import { findInLayout } from "./oci-layout.ts";
import { openTar } from "./tar-files.ts";
import type { TemporaryOptions } from "./temporary-file.ts";

export type ArchiveOptions = TemporaryOptions & {
  /** Which image, where there are several: a name or tag as the archive has it, a reference that means the same, or a digest. */
  readonly name?: string;
};

export type OpenedArchive = {
  /** Local: blobs are read from the file. The caller closes it, which also frees temporary files. */
  readonly source: Source;
  /** What to ask the Source for; has a digest. */
  readonly reference: Reference;
};

/**
 * Opens the OCI layout (a folder, or a tar of one) or the `docker save` tar at `path`; the tar can be compressed by gzip or
 * zstd. Throws `path-invalid` (no such file, or no archive of images), `not-found` (no such image in it, or a part is missing),
 * `denied`, `manifest-invalid` (damaged), `reference-invalid` (several images and no name: the message lists them), `store-full`,
 * `store-damaged`, `aborted`.
 */
export async function openArchive(path: string, options: ArchiveOptions = {}): Promise<OpenedArchive> {
  const files = await openArchiveFiles(path, options);
  return await openImageIn(files, options);
}

/** The same for files that are open; takes them over: closed with the Source, and when this throws. */
export async function openImageIn(files: ArchiveFiles, options: ArchiveOptions): Promise<OpenedArchive> {
  try {
    const found =
      (await findInLayout(files, options.name)) ?? (await findInSave(files, options.name, options.signal));
    if (found === undefined) throw await noImages(files);
    const source = archiveSource(found, files.path, () => files.close());
    return { source, reference: found.reference };
  } catch (error) {
    await files.close();
    throw error;
  }
}

/** The files of the archive at `path`, whatever is in it; the caller closes them. Throws as `openArchive`. */
export async function openArchiveFiles(path: string, options: TemporaryOptions): Promise<ArchiveFiles> {
  // The path itself is the caller's and may be a link; nothing below it may.
  const place = await realpath(path).catch((error: unknown) => Promise.reject(openError(error, path)));
  if ((await lookThrough(place))?.isDirectory() === true) return directoryFiles(place);
  const opening = OpenFile.open(place, constants.O_RDONLY);
  const file = await opening.catch((error: unknown) => Promise.reject(openError(error, path)));
  return await openTar(file, path, options);
}

function openError(error: unknown, path: string): GranaryError {
  const errno = errnoOf(error);
  if (errno === "ENOENT" || errno === "ENOTDIR") {
    const hint = path.includes("#") ? ' A path with "#" in it is closed with another "#".' : "";
    const message = `There is no file or folder ${path}.${hint}`;
    return new GranaryError("path-invalid", message, { target: path, cause: error });
  }
  if (errno !== "EACCES") return diskError(error, `opening ${path}`);
  const message = `${path} may not be read: you need the right to read it.`;
  return new GranaryError("denied", message, { target: path, cause: error });
}

async function noImages(files: ArchiveFiles): Promise<GranaryError> {
  const old = await files.open("repositories");
  await old?.close();
  const reason =
    old === undefined
      ? "it has neither index.json (OCI) nor manifest.json (docker save)"
      : "it was saved by a Docker older than 1.10; load it and save it again";
  return new GranaryError("path-invalid", `${files.path} holds no image: ${reason}.`, {
    target: files.path,
  });
}
