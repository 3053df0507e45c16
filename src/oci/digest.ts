/**
 * Owns Digest: a content address that only parsing or hashing can make. The file names of blobs are built from it, so it must never be able to
 * contain a path.
 */
import { createHash, type Hash } from "node:crypto";
import { GranaryError } from "../errors.ts";

declare const brand: unique symbol;

/** `sha256:<64 hex>` or `sha512:<128 hex>`, lower case. */
export type Digest = string & { readonly [brand]: "Digest" };

export type DigestAlgorithm = "sha256" | "sha512";

const PATTERN = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export function isDigest(text: string): text is Digest {
  return PATTERN.test(text);
}

/** Throws `digest-invalid` for anything but a registered, lower-case digest (opencontainers/image-spec descriptor.md). */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  throw new GranaryError(
    "digest-invalid",
    `"${shown}" is not a digest: expected sha256:<64 hex> or sha512:<128 hex>.`,
    {
      expected: "sha256:<64 hex> or sha512:<128 hex>",
      found: shown,
    },
  );
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

/** The part after the colon. */
export function encodedOf(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = "sha256"): Digest {
  return finishDigest(createHash(algorithm).update(bytes), algorithm);
}

/** The Digest of a running hash; the hash cannot be used afterwards. */
export function finishDigest(hash: Hash, algorithm: DigestAlgorithm): Digest {
  return parseDigest(`${algorithm}:${hash.digest("hex")}`);
}

const NOTHING: readonly string[] = [digestOf(new Uint8Array()), digestOf(new Uint8Array(), "sha512")];

/**
 * `size` if `digest` can have it, else undefined. Only the digest of no bytes has the size 0, and it has no other. Registries and documents
 * often say 0 when they do not know the size.
 */
export function possibleSize(digest: Digest, size: number | undefined): number | undefined {
  if (NOTHING.includes(digest)) return 0;
  return size === 0 ? undefined : size;
}
