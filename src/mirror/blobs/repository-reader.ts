/**
 * Owns what the reader of one repository gets to see of a transfer that may have readers of many: no byte before the repository's own
 * upstream has answered for the blob, and failures only in the words of this repository. It reads nothing itself.
 */
import { GranaryError, isGranaryError, reasonOf } from "../../errors.ts";
import type { MoveBytes } from "../../files/open-file.ts";
import type { BlobTarget } from "../../routing/target.ts";
import type { BlobReader } from "../../source.ts";
import type { UpstreamClient } from "../../upstream/upstream-client.ts";
import type { Links } from "../access/links.ts";

export type RepositoryBlob = {
  readonly links: Links;
  readonly client: UpstreamClient;
  readonly target: BlobTarget;
  /** The size that the reader was told, bytes; 0 where nobody states one. */
  readonly size: number;
};

/** Errors that say what the bytes are, or how many. */
const SAYS_OF_BYTES = ["size-mismatch", "digest-mismatch", "range-unsatisfiable"] as const;

/**
 * `reader`, which gives nothing out before the repository's own upstream has answered for the blob. In most cases it has by then, because it
 * was asked for the bytes; but they may have come from another repository meanwhile.
 */
export function provingReader({ links, client, target }: RepositoryBlob, reader: BlobReader): BlobReader {
  let isProven = false;
  const prove = async () => {
    if (isProven) return;
    const link = await links.find(target, target.digest);
    if (link?.confirmed === undefined) await links.confirm(client, target, target.digest);
    isProven = true;
  };
  const read = async (into: Uint8Array) => {
    try {
      const count = await reader.read(into);
      await prove();
      return count;
    } catch (error) {
      // What the bytes turned out to be is told only to those who may have them.
      if (isGranaryError(error, ...SAYS_OF_BYTES)) await prove();
      throw error;
    }
  };
  // Only what is proven may leave, so the first bytes are always read.
  const move = reader.move && (async (by: MoveBytes) => (isProven ? await reader.move?.(by) : undefined));
  return { read, ...(move && { move }), close: () => reader.close() };
}

/** `reader`, whose failures are told as this repository's own. One that a wrong size can have caused makes the next request find out the size. */
export function tellingReader(blob: RepositoryBlob, reader: BlobReader): BlobReader {
  const { links, client, target } = blob;
  const tell = async (error: unknown) => {
    if (isGranaryError(error, ...SAYS_OF_BYTES)) await doubtSize(blob);
    // The same words as for every other absence: they must not tell whether the bytes are stored here.
    if (isGranaryError(error, "not-found")) throw await links.foundAbsent(client, target, target.digest);
    throw ownError(target, error);
  };
  return {
    read: (into) => reader.read(into).catch(tell),
    ...(reader.move && { move: (by) => reader.move?.(by).catch(tell) ?? Promise.resolve(undefined) }),
    close: () => reader.close(),
  };
}

/** Unless the upstream's answer has corrected the size already. It counts for this repository alone. */
async function doubtSize({ links, target, size }: RepositoryBlob): Promise<void> {
  const link = await links.find(target, target.digest);
  const isCorrected = link?.confirmed?.isMeasured === true && link.confirmed.size !== size;
  if (!isCorrected) await links.record(target, { kind: "unsized", digest: target.digest });
}

/** What ended a transfer may quote the repository that began it. Each reader hears of its own; the log tells the whole. */
function ownError({ upstream, repository, digest }: BlobTarget, error: unknown): unknown {
  if (!isGranaryError(error)) return error;
  const { reason = reasonOf(error), told = [], ...facts } = error.facts;
  const target = `${upstream}/${repository}@${digest}`;
  const message = `${target} could not be read: ${reason}.`;
  // The origin says for which repository it was told.
  const own = facts.target === `${upstream}/${repository}` ? { told } : {};
  return new GranaryError(error.code, message, { ...facts, ...own, target, cause: error });
}
