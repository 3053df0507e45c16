/**
 * Owns bringing an artifact (ORAS, ModelPack) to disk: each layer becomes a file under the path that its annotation names. Nothing is
 * written before the whole manifest was found fit, and all files appear together at the end. A fetch that was interrupted leaves a
 * staging directory for the next one to go on from, any other failure leaves nothing.
 */
import { mkdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { GranaryError } from "../../errors.ts";
import { lookAt, lookThrough, remove } from "../../files/disk.ts";
import { onDisk } from "../../files/disk-error.ts";
import { type Digest, encodedOf } from "../../oci/digest.ts";
import type { Manifest } from "../../oci/manifest.ts";
import { atDigest, type Reference } from "../../oci/reference.ts";
import type { Source } from "../../source.ts";
import { lockDirectory } from "../../store/lock-directory.ts";
import { untilAborted } from "../../waiting/abort.ts";
import { distinctSize, fetchBlobs } from "../fetching/fetch-blobs.ts";
import { isPassing } from "../fetching/fetch-policy.ts";
import { PhaseProgress, type VerbOptions } from "../fetching/progress.ts";
import { type ArtifactFile, type ArtifactLimits, artifactFiles, isModelPack } from "./artifact-files.ts";
import { type ArtifactChoice, findArtifact } from "./find-artifact.ts";
import { lookBelow, placeAmongOthers, placeInNew } from "./place-files.ts";

export type FetchArtifactOptions = VerbOptions & ArtifactChoice & ArtifactLimits;

export type FetchedArtifact = {
  /** What the reference named when it was fetched: ask for this to get the same again, whatever the tag names by then. */
  readonly pinned: Reference;
  /** The digest in `pinned`: of the index, where the reference names one. */
  readonly digest: Digest;
  /** The artifact's own manifest. */
  readonly manifest: Manifest;
  readonly artifactType: string | undefined;
  readonly isModelPack: boolean;
  /** In the manifest's order; `isArchive` marks tars of directories (ORAS), which are kept as they are. */
  readonly files: readonly ArtifactFile[];
  /** Body bytes that were received: files that were there already cost none. */
  readonly fetched: number;
};

const FILE_MODE = 0o600;

/**
 * Brings the artifact into `directory`, which is made where it is missing (its parent must exist), else its files join what is there. Equal
 * files stay, different ones are never replaced. An index is followed to its only child that fits `artifactType` and `platform`.
 *
 * Throws what `Source.manifest` and `fetchBlobFrom` throw, `manifest-invalid` (an unsafe path, a path twice, no path, above
 * `maxLayers` or `maxBytes`, several children), `path-invalid` (something is in the way), `config-invalid` (another fetch of it to
 * the same place is under way).
 */
export async function fetchArtifactFrom(
  source: Source,
  reference: Reference,
  directory: string,
  options: FetchArtifactOptions = {},
): Promise<FetchedArtifact> {
  const found = await untilAborted(findArtifact(source, reference, options), options.signal);
  const files = artifactFiles(found.view, options);
  const root = resolve(directory);
  const isNew = await isAbsent(root);
  const looking = isNew ? [] : files.map((file) => lookBelow(root, file));
  const looks = await untilAborted(Promise.all(looking), options.signal);
  const missing = files.filter((_, index) => looks[index] !== "there");
  const { digest } = found.top;
  const progress = new PhaseProgress("fetch", distinctSize(files), options.onProgress);
  progress.add(distinctSize(files) - distinctSize(missing));
  const place = { root, isNew, digest: found.manifest.digest };
  const fetched = await fetchAndPlace(source, reference, missing, place, progress, options);
  progress.end();
  return {
    pinned: atDigest(reference, digest),
    digest,
    manifest: found.manifest,
    artifactType: found.view.artifactType,
    isModelPack: isModelPack(found.view),
    files,
    fetched,
  };
}

async function isAbsent(root: string): Promise<boolean> {
  const found = await lookThrough(root);
  if (found?.isDirectory() === true) return false;
  if (found !== undefined || (await lookAt(root)) !== undefined) {
    throw new GranaryError("path-invalid", `${root} is not a directory: give another.`, { target: root });
  }
  const parent = dirname(root);
  if ((await lookThrough(parent)) !== undefined) return true;
  throw new GranaryError("path-invalid", `The directory ${parent} does not exist: create it first.`, {
    target: parent,
  });
}

type DirectoryToFill = {
  readonly root: string;
  readonly isNew: boolean;
  /** Of the artifact's manifest. */
  readonly digest: Digest;
};

/** Resolves with the bytes that were received. The staging directory goes, unless another try can go on from it. */
async function fetchAndPlace(
  source: Source,
  reference: Reference,
  files: readonly ArtifactFile[],
  { root, isNew, digest }: DirectoryToFill,
  progress: PhaseProgress,
  options: FetchArtifactOptions,
): Promise<number> {
  const { path: staging, release } = await openStaging(root, isNew, digest);
  let isKept = false;
  try {
    // Numbers in front: one blob may be wanted under several titles.
    const staged = files.map((file, index) => ({
      ...file,
      from: join(staging, `${index}-${encodedOf(file.digest)}`),
    }));
    const wanted = staged.map(({ digest: each, size, from }) => ({ digest: each, size, path: from }));
    const blobs = await fetchBlobs(source, reference, wanted, progress, { ...options, mode: FILE_MODE });
    await (isNew ? placeInNew(root, staged, join(staging, "tree")) : placeAmongOthers(root, staged));
    return blobs.reduce((sum, blob) => sum + blob.fetched, 0);
  } catch (error) {
    isKept = isPassing(error);
    throw error;
  } finally {
    try {
      // While the directory is still ours: the next fetch may be waiting for it.
      if (!isKept) await remove(staging);
    } finally {
      release();
    }
  }
}

/**
 * Beside a new directory, inside one that exists: there it is on the same file system. Its name is that of the artifact, so that the
 * next fetch finds what an interrupted one left; one fetch at a time may use it.
 */
async function openStaging(root: string, isNew: boolean, digest: Digest) {
  const name = `.granary-${encodedOf(digest).slice(0, 16)}`;
  const path = isNew ? join(dirname(root), `.${basename(root)}${name}`) : join(root, name);
  await onDisk(`creating ${path}`, mkdir(path, { recursive: true, mode: 0o700 }));
  return { path, release: await lockDirectory(path) };
}
