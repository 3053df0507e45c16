/**
 * Owns Manifest, and the gate that every fetched one passes before it is stored, served or read: right digest, legal
 * shape, true media type. It never changes a byte. Pure.
 */
import { GranaryError, messageOf } from "../errors.ts";
import { algorithmOf, type Digest, digestOf } from "./digest.ts";
import {
  foreignTypeOf,
  isForeign,
  isMediaType,
  type ManifestLink,
  manifestTypeOf,
  viewManifest,
} from "./manifest-view.ts";
import { isSignedSchema1, payloadDigestOf } from "./schema1.ts";

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
 * The most of one that is read, bytes. The distribution-spec wants registries to take 4 MiB, and some take more; four times that is beyond
 * every index seen, and a hundred of them at once still fit into memory.
 */
export const MAX_MANIFEST_BYTES = 16 * 2 ** 20;

/**
 * The checked manifest and what it links. `wanted` is the digest that was asked for; without it the upstream's own header
 * is held to. What is opaque is taken as it is where a digest vouches for it; what is dangerous is not, and it is said why. Throws
 * `digest-mismatch`, `upstream-protocol`.
 */
export function checkManifest(
  body: UncheckedManifest,
  target: string,
  wanted?: Digest,
): { readonly manifest: Manifest; readonly links: readonly ManifestLink[] } {
  const { bytes } = body;
  const expected = wanted ?? body.digest;
  const digest = digestOf(bytes, expected === undefined ? "sha256" : algorithmOf(expected));
  if (expected !== undefined && digest !== expected) refuseOther(body, { target, wanted, expected, digest });
  try {
    const view = viewManifest(bytes, body.mediaType);
    return { manifest: { digest, mediaType: view.mediaType, bytes }, links: view.links };
  } catch (error) {
    // Without a digest it may be anything, and a page is none, whatever its front end adds: somebody is to sign in.
    const isPage = wanted === undefined && /^text\/html\b/i.test(body.mediaType ?? "");
    if (digest === expected && !isPage && isForeign(bytes))
      return { manifest: { digest, mediaType: foreignTypeOf(body.mediaType), bytes }, links: [] };
    const message = `The upstream's answer for ${target} cannot be used: ${messageOf(error)}`;
    throw new GranaryError("upstream-protocol", message, { cause: error, target });
  }
}

type Mismatch = {
  readonly target: string;
  readonly wanted: Digest | undefined;
  readonly expected: Digest;
  readonly digest: Digest;
};

/** Returns only for a signed manifest of schema 1 by its tag: it is known by the digest of its bytes, whatever the header's is of. */
function refuseOther({ bytes }: UncheckedManifest, { target, wanted, expected, digest }: Mismatch): void {
  const isPayload = payloadDigestOf(bytes) === expected;
  if (isPayload && wanted === undefined) return;
  const message = isPayload
    ? `${target} is a signed manifest of schema 1, whose digest says nothing of its signatures: pull it by tag, or push it again with a newer tool.`
    : `The manifest of ${target} hashes to ${digest}, expected ${expected}.`;
  throw new GranaryError("digest-mismatch", message, { expected, found: digest, target });
}

/**
 * What the headers tell, where a GET will tell the same; undefined where only the bytes do: something is missing, they are too many, or they
 * have another digest than the one that is named (schema 1).
 */
export function toldHead(head: {
  readonly digest: Digest | undefined;
  readonly mediaType: string | undefined;
  readonly size: number | undefined;
}): { readonly digest: Digest; readonly mediaType: string; readonly size: number } | undefined {
  const { digest, size } = head;
  const mediaType = manifestTypeOf(head.mediaType);
  if (digest === undefined || !size || size > MAX_MANIFEST_BYTES || mediaType === undefined) return undefined;
  return isSignedSchema1(mediaType) || !isMediaType(mediaType) ? undefined : { digest, mediaType, size };
}

/** Whether bytes that were stored are still those of the digest: disks and databases rot. */
export function isSoundManifest({ digest, bytes }: Manifest): boolean {
  return digestOf(bytes, algorithmOf(digest)) === digest;
}
