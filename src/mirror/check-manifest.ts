/**
 * Owns the gate that every fetched manifest passes before it is stored or served: right digest, legal shape, true media
 * type. It never changes a byte.
 */
import { GranaryError, messageOf } from "../errors.ts";
import type { Link } from "../metadata/metadata.ts";
import { algorithmOf, type Digest, digestOf } from "../oci/digest.ts";
import { viewManifest } from "../oci/manifest-view.ts";
import type { Manifest } from "../source.ts";
import type { ManifestBody } from "../upstream/upstream-client.ts";

/**
 * The checked manifest and what it links. `wanted` is the digest that was asked for; without it the upstream's own header
 * is held to. Throws `digest-mismatch`, `upstream-protocol`.
 */
export function checkManifest(
  body: ManifestBody,
  target: string,
  wanted?: Digest,
): { readonly manifest: Manifest; readonly links: readonly Link[] } {
  const expected = wanted ?? body.digest;
  const digest = digestOf(body.bytes, expected === undefined ? "sha256" : algorithmOf(expected));
  if (expected !== undefined && digest !== expected) {
    throw new GranaryError(
      "digest-mismatch",
      `The manifest of ${target} hashes to ${digest}, expected ${expected}.`,
      {
        expected,
        found: digest,
        target,
      },
    );
  }
  try {
    const view = viewManifest(body.bytes, body.mediaType);
    return { manifest: { digest, mediaType: view.mediaType, bytes: body.bytes }, links: view.links };
  } catch (error) {
    throw new GranaryError(
      "upstream-protocol",
      `The upstream's answer for ${target} cannot be used: ${messageOf(error)}`,
      {
        cause: error,
        target,
      },
    );
  }
}
