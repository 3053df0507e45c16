/**
 * Owns the Source over a Mirror in the same process: the client verbs then read through the cache. It keeps nothing itself and
 * closes nothing: the Mirror is its owner's.
 */
import { type ByteRange, formatRange } from "../bytes/byte-range.ts";
import { chunksUntilEnd } from "../bytes/chunks.ts";
import { GranaryError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { MANIFEST_UNION } from "../oci/media-types.ts";
import { DEFAULT_TAG, type Reference, type Repository } from "../oci/reference.ts";
import type { OpenedRange, Origin } from "../origin.ts";
import type { BlobTarget, ManifestTarget } from "../routing/target.ts";
import type { BlobReader, ReadableBlob, Source } from "../source.ts";
import type { Upstream } from "../upstream/policy.ts";
import { onAbort, untilAborted } from "../waiting/abort.ts";
import type { FoundBlob, Mirror } from "./mirror.ts";

/** Whoever holds the Mirror may see what its credentials can read. */
const OWNER = { loggedIn: true, userAgent: undefined } as const;
const ASK = { ...OWNER, accept: MANIFEST_UNION } as const;

/** `upstreams` are those of the Mirror: with them their other names, such as huggingface.co for hf.co, work here too. */
export function mirrorSource(
  mirror: Mirror,
  upstreams: readonly Pick<Upstream, "name" | "aliases">[] = [],
): Source {
  const names = new Map(upstreams.flatMap(({ name, aliases }) => aliases.map((alias) => [alias, name])));
  const upstreamOf = ({ registry }: Repository) => names.get(registry) ?? registry;
  const manifestOf = (reference: Reference) => manifestTarget(upstreamOf(reference), reference);
  const blobOf = (where: Repository, digest: Digest) => blobTarget(upstreamOf(where), where, digest);
  return {
    isLocal: true,
    async manifest(reference) {
      return (await mirror.manifest(manifestOf(reference), ASK)).manifest;
    },
    async headManifest(reference) {
      const { digest, mediaType, size } = await mirror.headManifest(manifestOf(reference), ASK);
      return { digest, mediaType, size };
    },
    async blobSize(repository, digest) {
      const target = blobOf(repository, digest);
      return (await mirror.statBlob(target, OWNER)).size ?? (await measured(mirror, target));
    },
    origin: (repository, digest) => mirrorOrigin(mirror, blobOf(repository, digest)),
    close: async () => undefined,
  };
}

function manifestTarget(upstream: string, { repository, tag, digest }: Reference): ManifestTarget {
  const reference = digest === undefined ? { tag: tag ?? DEFAULT_TAG } : { digest };
  return { kind: "manifest", upstream, repository, reference };
}

function blobTarget(upstream: string, { repository }: Repository, digest: Digest): BlobTarget {
  return { kind: "blob", upstream, repository, digest };
}

function mirrorOrigin(mirror: Mirror, target: BlobTarget): Origin {
  return {
    name: `${target.upstream}/${target.repository}`,
    async open(range, signal) {
      const blob = await unlessAborted(mirror.blob(target, OWNER), signal);
      return openedRange(blob, clip(range, blob), signal);
    },
    strike: () => undefined, // The Mirror verified what it gave; its own fills strike their own origins.
  };
}

/** The blob, or `aborted` at once, however long the Mirror takes to ask its upstream; it is then released when it comes. */
async function unlessAborted(answer: Promise<FoundBlob>, signal: AbortSignal): Promise<ReadableBlob> {
  try {
    return (await untilAborted(answer, signal, "the request")).blob;
  } catch (error) {
    // After an abort nobody else knows of the blob that may still come.
    if (signal.aborted) answer.then(({ blob }) => blob.release()).catch(() => undefined);
    throw error;
  }
}

function clip(range: ByteRange, blob: ReadableBlob): ByteRange {
  const { digest, size = range.end } = blob;
  // An empty blob has no byte that could be asked for, and its whole is still a range.
  if (range.start < size || (size === 0 && range.start === 0))
    return { start: range.start, end: Math.min(range.end, size) };
  blob.release();
  const message = `${digest} has ${size} bytes; ${formatRange(range)} was asked for.`;
  throw new GranaryError("range-unsatisfiable", message, { expected: size, found: range.start });
}

/** Where nobody states the size of a blob, it is read to its end: that keeps it as well. */
async function measured(mirror: Mirror, target: BlobTarget): Promise<number> {
  const { blob } = await mirror.blob(target, OWNER);
  const reader = blob.reader();
  try {
    let size = 0;
    for await (const chunk of bodyOf(reader, () => undefined)) size += chunk.length;
    return size;
  } finally {
    reader.close();
    blob.release();
  }
}

function openedRange(blob: ReadableBlob, range: ByteRange, signal: AbortSignal): OpenedRange {
  const reader = blob.reader(range);
  const close = () => {
    reader.close();
    blob.release();
  };
  const stopListening = onAbort(signal, close);
  const dismiss = () => {
    stopListening();
    close();
  };
  const body = bodyOf(reader, dismiss);
  return { range, size: blob.size, rangeBlind: false, body, dismiss };
}

async function* bodyOf(reader: BlobReader, dismiss: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* chunksUntilEnd(reader);
  } finally {
    dismiss();
  }
}
