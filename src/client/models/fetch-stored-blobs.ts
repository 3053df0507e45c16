/**
 * Owns the blobs' way into Ollama's store: those of another model are used again, the others come whole and verified under
 * their final names. It removes nothing of Ollama's.
 */
import { rmdir, utimes } from "node:fs/promises";
import { makeRoot } from "../../files/directories.ts";
import { move } from "../../files/disk.ts";
import { syncDirectory } from "../../files/durable-file.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Repository } from "../../oci/reference.ts";
import type { Source } from "../../source.ts";
import { untilAborted } from "../../waiting/abort.ts";
import { type FetchBlobsOptions, fetchBlobs } from "../fetching/fetch-blobs.ts";
import { holdsDigest } from "../fetching/file-at-path.ts";
import type { PhaseProgress } from "../fetching/progress.ts";
import type { OllamaLayout } from "./ollama-layout.ts";

const BLOB_MODE = 0o644;

/** Resolves with the bytes that were received for each digest. `progress` is not ended here. Throws what `fetchBlobFrom` throws. */
export async function fetchStoredBlobs(
  source: Source,
  repository: Repository,
  wanted: readonly Descriptor[],
  layout: OllamaLayout,
  progress: PhaseProgress,
  options: FetchBlobsOptions,
): Promise<ReadonlyMap<Digest, number>> {
  await makeRoot(layout.staging);
  const distinct = [...new Map(wanted.map((part) => [part.digest, part])).values()];
  const { there, missing } = await look(distinct, layout, options.signal);
  progress.add(sumOf(there));
  const staged = missing.map((part) => ({ ...part, path: layout.staged(part.digest) }));
  const blobs = await fetchBlobs(source, repository, staged, progress, { ...options, mode: BLOB_MODE });
  for (const { digest, path } of staged) await place(path, layout.blob(digest));
  await syncDirectory(layout.blobs);
  await rmdir(layout.staging).catch(() => undefined); // Not empty: something else of ours is under way there.
  return new Map(blobs.map(({ digest, fetched }) => [digest, fetched]));
}

async function look(
  wanted: readonly Descriptor[],
  layout: OllamaLayout,
  signal: AbortSignal | undefined,
): Promise<{ readonly there: Descriptor[]; readonly missing: Descriptor[] }> {
  const there: Descriptor[] = [];
  const missing: Descriptor[] = [];
  for (const part of wanted) {
    const path = layout.blob(part.digest);
    const isThere = await untilAborted(holdsDigest(path, part.digest, part.size), signal);
    if (isThere) await touch(path);
    (isThere ? there : missing).push(part);
  }
  return { there, missing };
}

async function place(from: string, to: string): Promise<void> {
  await touch(from);
  await move(from, to);
}

/** A blob without a manifest is safe from Ollama for an hour after its last change. It may belong to another user: then nothing is changed. */
async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => undefined);
}

function sumOf(parts: readonly Descriptor[]): number {
  return parts.reduce((sum, { size }) => sum + size, 0);
}
