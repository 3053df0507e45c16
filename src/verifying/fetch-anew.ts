/** Owns fetching again what a verification set aside or missed, from a repository that is known to have it. What cannot be fetched waits for its clients. */
import type { Digest } from "../oci/digest.ts";
import { bringBlobs } from "../warm/bring.ts";
import { asStrangerFirst, type WarmMirror } from "../warm/warm-mirror.ts";
import type { ContentQuestions } from "./meant-by.ts";

export type FetchAnewParts = {
  readonly mirror: WarmMirror;
  readonly contents: ContentQuestions;
  readonly signal: AbortSignal;
};

/** One blob can be in many repositories, and any of them may have gone. */
const MOST_REPOSITORIES = 5;

/** How many of `digests` are here again. Throws nothing but what ends the whole job: the signal's reason. */
export async function fetchAnew(digests: readonly Digest[], parts: FetchAnewParts): Promise<number> {
  let fetched = 0;
  for (const digest of digests) {
    if (parts.signal.aborted) return fetched;
    if (await isFetched(digest, parts)) fetched += 1;
  }
  return fetched;
}

async function isFetched(digest: Digest, { mirror, contents, signal }: FetchAnewParts): Promise<boolean> {
  for (const where of await contents.repositoriesWith(digest, MOST_REPOSITORIES).catch(() => [])) {
    try {
      await asStrangerFirst((asker) =>
        bringBlobs(where, [{ digest, size: undefined }], { mirror, asker, signal, onBytes: () => undefined }),
      );
      return true;
    } catch {
      // The next repository may have it; if none has, a client that asks for it is told why.
    }
  }
  return false;
}
