/**
 * Owns Manifest, and the check that every fetched manifest passes before it is stored, served or read: its digest is right, its form is
 * legal, its media type is the true one. It never changes a byte. Pure.
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

/** A body as it came, with the digest and media type that its headers state. */
export type UncheckedManifest = {
  readonly bytes: Uint8Array;
  readonly digest: Digest | undefined;
  readonly mediaType: string | undefined;
};

/**
 * The largest manifest that is read, in bytes. The distribution-spec wants registries to accept 4 MiB, and some accept more. Four times that
 * is larger than every index seen, and a hundred of them at once still fit into memory.
 */
export const MAX_MANIFEST_BYTES = 16 * 2 ** 20;

/**
 * The checked manifest and what it links. `wanted` is the digest that was asked for; without it the digest of the upstream's header must be
 * right. Bytes that are not a known kind of manifest are accepted if their digest is right, unless they are dangerous (see isForeign).
 * Throws `digest-mismatch`, `upstream-protocol`.
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
    // A web page in place of a tag's manifest is usually a sign-in page of a front end, even if a digest header came with it.
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

/**
 * Throws `digest-mismatch`, except for a signed manifest of schema 1 that was asked for by tag: the header's digest is that of its payload
 * without the signatures, and Granary uses the digest of all its bytes.
 */
function refuseOther({ bytes }: UncheckedManifest, { target, wanted, expected, digest }: Mismatch): void {
  const isPayload = payloadDigestOf(bytes) === expected;
  if (isPayload && wanted === undefined) return;
  const message = isPayload
    ? `${target} is a signed manifest of schema 1, whose digest does not cover its signatures: pull it by tag, or push it again with a newer tool.`
    : `The manifest of ${target} hashes to ${digest}, expected ${expected}.`;
  throw new GranaryError("digest-mismatch", message, { expected, found: digest, target });
}

/**
 * What the headers of a HEAD say, if a GET will say the same. undefined if only the bytes can tell: a header is missing, the manifest is too
 * large, or its bytes have another digest than the header's (schema 1).
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

/** Whether stored bytes still have their digest: disks and databases can damage them. */
export function isSoundManifest({ digest, bytes }: Manifest): boolean {
  return digestOf(bytes, algorithmOf(digest)) === digest;
}
