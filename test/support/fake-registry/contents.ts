/**
 * Owns what a fake registry holds: repositories with tags and manifests, and blobs that are either bytes or a
 * generated pattern. It knows nothing of HTTP.
 */
import { type Digest, digestOf } from "../../../src/oci/digest.ts";
import { digestOfPattern, fill } from "../pattern.ts";

export type BlobContent = {
  readonly size: number;
  fill(offset: number, into: Uint8Array): void;
};

export type StoredManifest = { readonly digest: Digest; readonly mediaType: string; readonly bytes: Buffer };

export type Repository = {
  readonly name: string;
  readonly tags: Map<string, Digest>;
  readonly manifests: Map<string, StoredManifest>;
};

export class Contents {
  readonly repositories = new Map<string, Repository>();
  readonly blobs = new Map<string, BlobContent>();
  /** Repositories that hold a blob; a blob that none is named for is found in every repository. */
  readonly #homes = new Map<string, Set<string>>();

  addBlob(digest: Digest, content: BlobContent, repository?: string): void {
    this.blobs.set(digest, content);
    if (repository !== undefined) this.#home(digest, repository);
  }

  addManifest(repository: string, tag: string | undefined, manifest: StoredManifest): void {
    const home = this.repository(repository);
    home.manifests.set(manifest.digest, manifest);
    if (tag !== undefined) home.tags.set(tag, manifest.digest);
    for (const digest of listedBlobs(manifest.bytes)) {
      if (this.#homes.has(digest)) this.#home(digest, repository);
    }
  }

  repository(name: string): Repository {
    const known = this.repositories.get(name);
    if (known !== undefined) return known;
    const made: Repository = { name, tags: new Map(), manifests: new Map() };
    this.repositories.set(name, made);
    return made;
  }

  blobIn(repository: string, digest: string): BlobContent | undefined {
    const homes = this.#homes.get(digest);
    return homes === undefined || homes.has(repository) ? this.blobs.get(digest) : undefined;
  }

  manifestIn(repository: string, reference: string): StoredManifest | undefined {
    const home = this.repositories.get(repository);
    return home?.manifests.get(home.tags.get(reference) ?? reference);
  }

  #home(digest: string, repository: string): void {
    const homes = this.#homes.get(digest) ?? new Set();
    this.#homes.set(digest, homes.add(repository));
  }
}

export function contentOfBytes(bytes: Uint8Array): BlobContent {
  return {
    size: bytes.length,
    fill: (offset, into) => into.set(bytes.subarray(offset, offset + into.length)),
  };
}

export function contentOfPattern(seed: number, size: number): BlobContent {
  return { size, fill: (offset, into) => fill(seed, offset, into) };
}

export function digestOfContent(content: Uint8Array | { seed: number; size: number }): Digest {
  return content instanceof Uint8Array ? digestOf(content) : digestOfPattern(content.seed, content.size);
}

function listedBlobs(manifest: Buffer): string[] {
  try {
    const { config, layers = [] } = JSON.parse(manifest.toString("utf8")) as {
      config?: { digest: string };
      layers?: { digest: string }[];
    };
    return [config, ...layers].flatMap((descriptor) => descriptor?.digest ?? []);
  } catch {
    return []; // Tests also store manifests that are no JSON at all.
  }
}
