/**
 * Owns the Source over one image of an archive: manifests and blobs by digest, any range of them. It keeps nothing and hashes
 * only manifests: blobs are checked by whoever reads them, as with every Origin.
 */
import type { ByteRange } from "../../bytes/byte-range.ts";
import { GranaryError } from "../../errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { checkManifest, MAX_MANIFEST_BYTES, type Manifest } from "../../oci/manifest.ts";
import { formatReference, type Reference, type Repository } from "../../oci/reference.ts";
import type { OpenedRange, Origin } from "../../origin.ts";
import type { ManifestHead, Source } from "../../source.ts";
import { chunksOf, readStored, type StoredBytes } from "./archive-files.ts";

/** One image of an archive, found and named, with what it consists of. */
export type ArchivedImage = {
  /** Has a digest: the image manifest's, or the index's where the image is there for several platforms. */
  readonly reference: Reference;
  /** What the archive says that digest is; a manifest need not say it itself. */
  readonly mediaType: string;
  /** Undefined when the archive does not hold it. The caller closes it. */
  open(digest: Digest): Promise<StoredBytes | undefined>;
};

/** `path` is for messages; `close` is called once. */
export function archiveSource(image: ArchivedImage, path: string, close: () => Promise<void>): Source {
  return new ArchiveSource(image, path, close);
}

class ArchiveSource implements Source {
  readonly isLocal = true;
  readonly #image: ArchivedImage;
  readonly #path: string;
  readonly #close: () => Promise<void>;
  #closing: Promise<void> | undefined;

  constructor(image: ArchivedImage, path: string, close: () => Promise<void>) {
    this.#image = image;
    this.#path = path;
    this.#close = close;
  }

  async manifest(reference: Reference): Promise<Manifest> {
    const digest = reference.digest ?? this.#digestOf(reference);
    const stored = await this.#open(digest, "manifest");
    try {
      const bytes = await readStored(stored, MAX_MANIFEST_BYTES, `Manifest ${digest}`);
      const mediaType = digest === this.#image.reference.digest ? this.#image.mediaType : undefined;
      return checkManifest({ bytes, digest, mediaType }, `${digest} in ${this.#path}`, digest).manifest;
    } finally {
      await stored.close();
    }
  }

  async headManifest(reference: Reference): Promise<ManifestHead> {
    const { digest, mediaType, bytes } = await this.manifest(reference);
    return { digest, mediaType, size: bytes.length };
  }

  async blobSize(_: Repository, digest: Digest): Promise<number> {
    const stored = await this.#open(digest, "blob");
    await stored.close();
    return stored.size;
  }

  origin(_: Repository, digest: Digest): Origin {
    return {
      name: this.#path,
      open: async (range, signal) => openedRange(await this.#open(digest, "blob"), range, signal),
      strike: () => undefined, // An archive has no second origin that could be asked instead.
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #open(digest: Digest, kind: "manifest" | "blob"): Promise<StoredBytes> {
    if (this.#closing !== undefined) throw new GranaryError("closed", `${this.#path} is closed.`);
    const stored = await this.#image.open(digest);
    if (stored !== undefined) return stored;
    const message = `${this.#path} lacks the ${kind} ${digest}: the archive is incomplete.`;
    throw new GranaryError("not-found", message, { target: digest });
  }

  /** An archive has one digest for one name: that of the image it was opened for. */
  #digestOf(asked: Reference): Digest {
    const { registry, repository, tag, digest } = this.#image.reference;
    const isSame = asked.registry === registry && asked.repository === repository && asked.tag === tag;
    if (isSame && digest !== undefined) return digest;
    const message = `${this.#path} was opened for ${formatReference(this.#image.reference)}, not for ${formatReference(asked)}.`;
    throw new GranaryError("not-found", message, { target: formatReference(asked) });
  }
}

async function openedRange(stored: StoredBytes, asked: ByteRange, signal: AbortSignal): Promise<OpenedRange> {
  if (asked.start > stored.size) {
    await stored.close();
    const message = `The blob has ${stored.size} bytes; ${asked.start} is beyond its end.`;
    throw new GranaryError("range-unsatisfiable", message, { expected: stored.size, found: asked.start });
  }
  const range = { start: asked.start, end: Math.max(asked.start, Math.min(asked.end, stored.size)) };
  return {
    range,
    size: stored.size,
    rangeBlind: false,
    body: bodyOf(stored, range, signal),
    dismiss: () => void stored.close(),
  };
}

async function* bodyOf(
  stored: StoredBytes,
  range: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* chunksOf(stored, { ...range, signal });
  } finally {
    await stored.close();
  }
}
