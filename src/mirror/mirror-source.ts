/**
 * Owns the Source over a Mirror in the same process: the client verbs then read through the cache. It keeps nothing itself and
 * closes nothing: the Mirror is its owner's.
 */

import type { ByteRange } from "../bytes/byte-range.ts";
import type { Digest } from "../oci/digest.ts";
import { MANIFEST_UNION } from "../oci/media-types.ts";
import type { Reference, Repository } from "../oci/reference.ts";
import { DEFAULT_TAG } from "../oci/reference.ts";
import type { OpenedRange, Origin } from "../origin.ts";
import type { BlobReader, ReadableBlob, Source } from "../source.ts";
import type { Mirror } from "./mirror.ts";
import type { BlobTarget, ManifestTarget } from "./target.ts";

/** Whoever holds the Mirror may see what its credentials can read. */
const OWNER = { loggedIn: true, userAgent: undefined } as const;
const ASK = { ...OWNER, accept: MANIFEST_UNION } as const;
const CHUNK_BYTES = 1024 * 1024;

export function mirrorSource(mirror: Mirror): Source {
  return {
    isLocal: true,
    async manifest(reference) {
      return (await mirror.manifest(manifestTarget(reference), ASK)).manifest;
    },
    headManifest: (reference) => mirror.headManifest(manifestTarget(reference), ASK),
    async blobSize(repository, digest) {
      return (await mirror.statBlob(blobTarget(repository, digest), OWNER)).size;
    },
    origin: (repository, digest) => mirrorOrigin(mirror, blobTarget(repository, digest)),
    close: async () => undefined,
  };
}

function manifestTarget({ registry, repository, tag, digest }: Reference): ManifestTarget {
  const reference = digest === undefined ? { tag: tag ?? DEFAULT_TAG } : { digest };
  return { kind: "manifest", upstream: registry, repository, reference };
}

function blobTarget({ registry, repository }: Repository, digest: Digest): BlobTarget {
  return { kind: "blob", upstream: registry, repository, digest };
}

function mirrorOrigin(mirror: Mirror, target: BlobTarget): Origin {
  return {
    name: `${target.upstream}/${target.repository}`,
    async open(range, signal) {
      const { blob } = await mirror.blob(target, OWNER);
      return openedRange(blob, { start: range.start, end: Math.min(range.end, blob.size) }, signal);
    },
    strike: () => undefined, // The Mirror verified what it gave; its own fills strike their own origins.
  };
}

function openedRange(blob: ReadableBlob, range: ByteRange, signal: AbortSignal): OpenedRange {
  const reader = blob.reader(range);
  const dismiss = () => {
    signal.removeEventListener("abort", dismiss);
    reader.close();
    blob.release();
  };
  signal.addEventListener("abort", dismiss);
  if (signal.aborted) dismiss();
  const body = bodyOf(reader, dismiss);
  return { range, size: blob.size, rangeBlind: false, validator: undefined, body, dismiss };
}

async function* bodyOf(reader: BlobReader, dismiss: () => void): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const chunk = new Uint8Array(CHUNK_BYTES);
      const count = await reader.read(chunk);
      if (count === 0) return;
      yield chunk.subarray(0, count);
    }
  } finally {
    dismiss();
  }
}
