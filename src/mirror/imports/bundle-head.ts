/**
 * Owns the beginning of a bundle that is read as it comes: its index.json, then its manifests. Where the first of its blobs comes, everything
 * is known that the bundle says of itself. It believes no digest before it has hashed the bytes, and holds a bounded amount of them.
 */

import {
  digestOfFile,
  INDEX_FILE,
  type ListedName,
  MOST_INDEX_BYTES,
  parseBundleIndex,
} from "../../bundle/bundle-index.ts";
import { type BundleFile, unpackBundle } from "../../bundle/bundle-tar.ts";
import { childrenIn } from "../../bundle/parts-of.ts";
import { GranaryError } from "../../errors.ts";
import { algorithmOf, type Digest, digestOf } from "../../oci/digest.ts";
import { MAX_MANIFEST_BYTES } from "../../oci/manifest.ts";

export type IncomingBlob = { readonly digest: Digest } & Pick<BundleFile, "size" | "body">;

export type BundleHead = {
  readonly names: readonly ListedName[];
  /** By digest, the bytes of manifests that came and are right. */
  readonly manifests: ReadonlyMap<Digest, Uint8Array>;
  /** Manifests that came with other bytes than their digest's. */
  readonly damaged: ReadonlySet<Digest>;
  /** What follows, each once, in the order of the bundle. Ends the reading when it is left early. */
  readonly blobs: AsyncGenerator<IncomingBlob>;
};

/** Of all manifests of a bundle together: those of ten thousand images have less. */
const MOST_MANIFEST_BYTES = 128 * 2 ** 20;

/** Throws `manifest-invalid` for what is no bundle, and what `chunks` throws. */
export async function readBundleHead(chunks: AsyncIterable<Uint8Array>): Promise<BundleHead> {
  const reading = new HeadReading(unpackBundle(chunks));
  return await reading.read();
}

class HeadReading {
  readonly #files: AsyncGenerator<BundleFile>;
  readonly #manifests = new Map<Digest, Uint8Array>();
  readonly #damaged = new Set<Digest>();
  /** Digests that are known to be manifests, by what lists them; with the type that it calls them. */
  readonly #expected = new Map<Digest, string | undefined>();
  #names: readonly ListedName[] | undefined;
  #bytes = 0;

  constructor(files: AsyncGenerator<BundleFile>) {
    this.#files = files;
  }

  async read(): Promise<BundleHead> {
    for (;;) {
      const next = await this.#files.next();
      if (next.done === true) return this.#head();
      const first = await this.#take(next.value);
      if (first !== undefined) return this.#head(first);
    }
  }

  /** The blob that `file` is, where the head is over; undefined for what belongs to it, and for what nobody needs. */
  async #take(file: BundleFile): Promise<IncomingBlob | undefined> {
    if (file.name === INDEX_FILE) return await this.#takeIndex(file);
    const digest = digestOfFile(file.name);
    if (digest === undefined) return undefined;
    if (this.#names === undefined) throw orderError();
    if (!this.#expected.has(digest)) return { digest, size: file.size, body: file.body };
    await this.#takeManifest(digest, file);
    return undefined;
  }

  async #takeIndex(file: BundleFile): Promise<undefined> {
    if (this.#names !== undefined)
      throw new GranaryError(
        "manifest-invalid",
        "The bundle has two index.json: nobody knows which one counts.",
      );
    const bytes = await wholeOf(file, MOST_INDEX_BYTES);
    this.#names = parseBundleIndex(bytes);
    for (const { digest, mediaType } of this.#names) this.#expected.set(digest, mediaType);
  }

  async #takeManifest(digest: Digest, file: BundleFile): Promise<void> {
    const bytes = await wholeOf(file, MAX_MANIFEST_BYTES);
    this.#bytes += bytes.length;
    if (this.#bytes > MOST_MANIFEST_BYTES)
      throw new GranaryError("manifest-invalid", "The bundle has too many manifests: make several bundles.");
    if (digestOf(bytes, algorithmOf(digest)) !== digest) return void this.#damaged.add(digest);
    this.#manifests.set(digest, bytes);
    for (const child of childrenIn(bytes, this.#expected.get(digest)))
      if (!this.#expected.has(child.digest)) this.#expected.set(child.digest, child.mediaType);
  }

  #head(first?: IncomingBlob): BundleHead {
    if (this.#names === undefined) throw noBundle();
    const { names } = { names: this.#names };
    return {
      names,
      manifests: this.#manifests,
      damaged: this.#damaged,
      blobs: this.#rest(first),
    };
  }

  async *#rest(first: IncomingBlob | undefined): AsyncGenerator<IncomingBlob> {
    try {
      if (first === undefined) return;
      yield first;
      for await (const { name, size, body } of this.#files) {
        const digest = digestOfFile(name);
        if (digest !== undefined) yield { digest, size, body };
      }
    } finally {
      await this.#files.return(undefined);
    }
  }
}

async function wholeOf({ name, size, body }: BundleFile, limit: number): Promise<Uint8Array> {
  if (size > limit) {
    const message = `${name} of the bundle has ${size} bytes; at most ${limit} are read into memory.`;
    throw new GranaryError("manifest-invalid", message, { expected: limit, found: size });
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function noBundle(): GranaryError {
  return new GranaryError("manifest-invalid", "This is no bundle: it has no index.json.");
}

function orderError(): GranaryError {
  const text =
    "The archive has blobs before its index.json, so it cannot be read as it comes: import it with `granary bundle import`, which takes archives of any order.";
  return new GranaryError("manifest-invalid", text);
}
