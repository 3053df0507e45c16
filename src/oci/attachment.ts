/**
 * Owns how something says to which digest it is attached: signatures, SBOMs and other referrers by their `subject` (opencontainers/image-spec
 * manifest.md), or by a tag that is made of the digest (docs/protocol.md#signatures). Pure.
 */
import { algorithmOf, type Digest, encodedOf, isDigest } from "./digest.ts";
import { asObject, parseJsonObject, textOf } from "./json-value.ts";

const ATTACHMENT_TAG = /^sha(?:256|512)-[0-9a-f]{64,}(?:\.[a-z]+)?$/;
/** What cosign puts behind the digest, for each thing that it attaches to one (sigstore/cosign specs/SIGNATURE_SPEC.md). */
const COSIGN_ENDINGS = ["sig", "att", "sbom"];

/** Whether the tag is made of a digest that something is attached to. */
export function isAttachmentTag(tag: string): boolean {
  return ATTACHMENT_TAG.test(tag);
}

/** The digest that such a tag is attached to; undefined for other tags. */
export function subjectOfTag(tag: string): Digest | undefined {
  if (!ATTACHMENT_TAG.test(tag)) return undefined;
  const text = tag.replace("-", ":").replace(/\..*$/, "");
  return isDigest(text) ? text : undefined;
}

/** The tags under which cosign attaches something to `digest`. */
export function attachmentTagsOf(digest: Digest): readonly string[] {
  return COSIGN_ENDINGS.map((ending) => `${algorithmOf(digest)}-${encodedOf(digest)}.${ending}`);
}

/** The digest that the manifest in `bytes` says it is attached to; undefined where it says none. */
export function subjectOf(bytes: Uint8Array): Digest | undefined {
  const digest = textOf(asObject(parseJsonObject(bytes)?.subject)?.digest);
  return digest !== undefined && isDigest(digest) ? digest : undefined;
}
