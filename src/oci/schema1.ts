/**
 * Owns the one odd thing about signed manifests of schema 1: the digest that registries name for one is of its payload, without the
 * signatures that lie among the bytes. What comes is never that payload, so nothing is ever served under such a digest. Pure.
 */
import { type Digest, digestOf } from "./digest.ts";
import { asObject, objects, parseJsonObject, textOf } from "./json-value.ts";

const SIGNED = /^application\/vnd\.docker\.distribution\.manifest\.v1\+prettyjws$/i;

export function isSignedSchema1(mediaType: string | undefined): boolean {
  return SIGNED.test(mediaType ?? "");
}

/**
 * The digest of the payload of `bytes` (libtrust's JWS, "formatLength" and "formatTail"), which no digest of the bytes vouches for; undefined
 * for anything else.
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
