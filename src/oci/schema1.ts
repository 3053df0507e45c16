/**
 * Owns what is special about manifests of schema 1 (Docker's oldest form). The digest that registries name for a signed one is that of its
 * payload, without the signatures, which lie in the middle of the bytes. What comes over the network is never just that payload, so nothing
 * is ever served under such a digest. Pure.
 */
import { type Digest, digestOf } from "./digest.ts";
import { asObject, objects, parseJsonObject, textOf } from "./json-value.ts";

/** Plain and signed. */
const SCHEMA1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/;
const SIGNED = /^application\/vnd\.docker\.distribution\.manifest\.v1\+prettyjws$/i;

export function isSchema1(mediaType: string): boolean {
  return SCHEMA1.test(mediaType);
}

export function isSignedSchema1(mediaType: string | undefined): boolean {
  return SIGNED.test(mediaType ?? "");
}

/**
 * The digest of the payload of a signed manifest (docker/libtrust, "formatLength" and "formatTail"); undefined for anything else.
 */
export function payloadDigestOf(bytes: Uint8Array): Digest | undefined {
  const [signature] = objects(parseJsonObject(bytes)?.signatures);
  const encoded = textOf(signature?.protected);
  if (encoded === undefined) return undefined;
  const format = asObject(parseJsonObject(Buffer.from(encoded, "base64url")));
  const length = format?.formatLength;
  const tail = textOf(format?.formatTail);
  if (typeof length !== "number" || tail === undefined) return undefined;
  return digestOf(Buffer.concat([bytes.subarray(0, length), Buffer.from(tail, "base64url")]));
}
