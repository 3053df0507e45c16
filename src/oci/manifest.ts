/**
 * Owns Manifest, and the gate that every fetched one passes before it is stored, served or read: right digest, legal
 * shape, true media type. It never changes a byte. Pure.
 */
import { GranaryError, messageOf } from "../errors.ts";
import { algorithmOf, type Digest, digestOf } from "./digest.ts";
import { type ManifestLink, viewManifest } from "./manifest-view.ts";

/** Exact bytes of a manifest or index, with digest and media type. Views of it never replace the bytes. */
export type Manifest = {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
};

/** What came, with what its sender says of it. */
export type UncheckedManifest = {
  readonly bytes: Uint8Array;
  readonly digest: Digest | undefined;
  readonly mediaType: string | undefined;
};

/**
 * The checked manifest and what it links. `wanted` is the digest that was asked for; without it the upstream's own header
 * is held to. Throws `digest-mismatch`, `upstream-protocol`.
 */
export function checkManifest(
  body: UncheckedManifest,
  target: string,
  wanted?: Digest,
): { readonly manifest: Manifest; readonly links: readonly ManifestLink[] } {
  const expected = wanted ?? body.digest;
  const digest = digestOf(body.bytes, expected === undefined ? "sha256" : algorithmOf(expected));
  if (expected !== undefined && digest !== expected) {
    const message = `The manifest of ${target} hashes to ${digest}, expected ${expected}.`;
    throw new GranaryError("digest-mismatch", message, { expected, found: digest, target });
  }
  try {
    const view = viewManifest(body.bytes, body.mediaType);
    return { manifest: { digest, mediaType: view.mediaType, bytes: body.bytes }, links: view.links };
  } catch (error) {
    const message = `The upstream's answer for ${target} cannot be used: ${messageOf(error)}`;
    throw new GranaryError("upstream-protocol", message, { cause: error, target });
  }
}

/** Whether bytes that were stored are still those of the digest: disks and databases rot. */
export function isSoundManifest({ digest, bytes }: Manifest): boolean {
  return digestOf(bytes, algorithmOf(digest)) === digest;
}
