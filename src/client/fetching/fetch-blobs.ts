/**
 * Owns bringing many blobs of one repository to their paths: small ones beside each other, big ones one after another, equal
 * ones once. It must never use more connections than one big blob would, and never end while a fetch of its own is running.
 */
import type { Digest } from "../../oci/digest.ts";
import type { Repository } from "../../oci/reference.ts";
import type { Source } from "../../source.ts";
import { type FetchBlobOptions, type FetchedBlob, fetchBlobFrom } from "./fetch-blob.ts";
import { FETCH_POLICY } from "./fetch-policy.ts";
import { copyWhole } from "./file-at-path.ts";
import type { PhaseProgress } from "./progress.ts";

export type BlobToFetch = {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly path: string;
};

export type FetchBlobsOptions = Omit<FetchBlobOptions, "onDescriptor">;

/** One digest, and everywhere it is wanted. */
type Task = { readonly first: BlobToFetch; readonly copies: readonly BlobToFetch[] };

/** Bytes of all distinct blobs of `wanted`: what `fetchBlobs` counts. */
export function distinctSize(wanted: readonly Pick<BlobToFetch, "digest" | "size">[]): number {
  const sizes = new Map(wanted.map(({ digest, size }) => [digest, size]));
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

/**
 * Fetches `wanted`, each as `fetchBlobFrom` does it; the answers are in the same order. `progress` hears of the bytes of all distinct
 * blobs; its end is the caller's to tell, who may have more to do. The first failure ends the others and is thrown; blobs that were
 * whole by then stay at their paths.
 */
export async function fetchBlobs(
  source: Source,
  repository: Repository,
  wanted: readonly BlobToFetch[],
  progress: PhaseProgress,
  options: FetchBlobsOptions = {},
): Promise<FetchedBlob[]> {
  const failure = new AbortController();
  const signal = AbortSignal.any([failure.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const fetched = new Map<string, FetchedBlob>();
  const run = async ({ first, copies }: Task) => {
    const each = { ...options, signal, onProgress: progress.part(first.size) };
    const blob = await fetchBlobFrom(source, { repository, ...first }, first.path, each);
    fetched.set(first.path, blob);
    for (const { path } of copies) {
      await copyWhole(first.path, path);
      fetched.set(path, { ...blob, path, fetched: 0 });
    }
  };
  const { small, big } = divide(tasksOf(wanted));
  await inParallel(small, FETCH_POLICY.lanes, run, failure);
  await inParallel(big, 1, run, failure);
  return wanted.flatMap(({ path }) => fetched.get(path) ?? []);
}

function tasksOf(wanted: readonly BlobToFetch[]): Task[] {
  const groups = [...Map.groupBy(wanted, ({ digest }) => digest).values()];
  return groups.flatMap(([first, ...copies]) => (first === undefined ? [] : [{ first, copies }]));
}

/** Small is what a fill brings over one connection anyway. */
function divide(tasks: readonly Task[]): { readonly small: Task[]; readonly big: Task[] } {
  const isSmall = ({ first }: Task) => first.size <= FETCH_POLICY.smallBlob;
  return { small: tasks.filter(isSmall), big: tasks.filter((task) => !isSmall(task)) };
}

/** Resolves when all have run; after a failure none is begun, those under way are ended, and the failure is thrown. */
async function inParallel(
  tasks: readonly Task[],
  atOnce: number,
  run: (task: Task) => Promise<void>,
  failure: AbortController,
): Promise<void> {
  const queue = tasks.values(); // One iterator for all workers: each task is taken once.
  let first: { readonly error: unknown } | undefined;
  const work = async () => {
    for (const task of queue) {
      if (first !== undefined) return;
      try {
        await run(task);
      } catch (error) {
        first ??= { error };
        failure.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, tasks.length) }, work));
  if (first !== undefined) throw first.error;
}
