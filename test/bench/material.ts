/**
 * Owns what is served: generated blobs and a manifest over them, as files with their digests. Made once per run; every
 * contender that serves from its own files gets hard links to these, so that all share one page cache.
 */
import { createHash, type Hash, randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

export const REPOSITORY = "bench/model";
export const TAG = "latest";
export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const CHUNK = 1 << 20;

export type Content = {
  readonly digest: string;
  readonly size: number;
  readonly file: string;
  readonly mediaType: string;
  /** Where a registry serves it. */
  readonly path: string;
};

export type Material = {
  readonly big: Content;
  readonly middle: Content;
  /** For lines on which more would take long. */
  readonly small: Content;
  readonly manifest: Content;
  /** The manifest by tag: what a client that pulls a name asks for. */
  readonly manifestByTag: string;
  /** Every path of the repository. */
  readonly entries: readonly Content[];
};

export type MaterialSizes = { readonly big: number; readonly middle: number; readonly small: number };

/** Sizes in bytes. */
export function makeMaterial(directory: string, sizes: MaterialSizes): Material {
  mkdirSync(directory, { recursive: true });
  const big = makeBlob(directory, "big", sizes.big);
  const middle = makeBlob(directory, "middle", sizes.middle);
  const small = makeBlob(directory, "small", sizes.small);
  const config = makeBlob(directory, "config", 512);
  const layers = [big, middle, small].map((blob) => describe(blob, "application/vnd.oci.image.layer.v1.tar"));
  const manifest = makeManifest(directory, {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: describe(config, "application/vnd.oci.image.config.v1+json"),
    layers,
  });
  const manifestByTag = `/v2/${REPOSITORY}/manifests/${TAG}`;
  const entries = [big, middle, small, config, manifest, { ...manifest, path: manifestByTag }];
  return { big, middle, small, manifest, manifestByTag, entries };
}

/** One random MiB, stamped with its position: no two MiB are equal, and making it costs little more than its hash. */
function makeBlob(directory: string, name: string, size: number): Content {
  const file = join(directory, name);
  const chunk = randomBytes(CHUNK);
  const hash = createHash("sha256");
  const target = openSync(file, "w");
  for (let offset = 0; offset < size; offset += CHUNK) {
    chunk.writeBigUInt64LE(BigInt(offset), 0);
    const part = chunk.subarray(0, Math.min(CHUNK, size - offset));
    writeSync(target, part);
    hash.update(part);
  }
  closeSync(target);
  const served = { kind: "blobs", mediaType: "application/octet-stream", repository: REPOSITORY };
  return content(file, hash, size, served);
}

function makeManifest(directory: string, value: object): Content {
  const bytes = Buffer.from(JSON.stringify(value, undefined, 2));
  const file = join(directory, "manifest");
  writeFileSync(file, bytes);
  return contentOf(file, bytes, "manifests", MANIFEST_TYPE);
}

/** A content that was written to `file`; `kind` is "blobs" or "manifests". */
export function contentOf(
  file: string,
  bytes: Uint8Array,
  kind: string,
  mediaType: string,
  repository = REPOSITORY,
): Content {
  return content(file, createHash("sha256").update(bytes), bytes.length, { kind, mediaType, repository });
}

type Served = { readonly kind: string; readonly mediaType: string; readonly repository: string };

function content(file: string, hash: Hash, size: number, { kind, mediaType, repository }: Served): Content {
  const digest = `sha256:${hash.digest("hex")}`;
  return { digest, size, file, mediaType, path: `/v2/${repository}/${kind}/${digest}` };
}

/** As manifests list it. */
export function describe(blob: Content, mediaType: string): object {
  return { mediaType, digest: blob.digest, size: blob.size };
}
