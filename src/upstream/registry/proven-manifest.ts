/**
 * Owns what an answer proves of a manifest to somebody whom the registry may refuse. A 200 alone proves nothing, because sign-in pages are 200
 * as well: the type and the digest count, or the bytes. It asks nothing.
 */
import { type Digest, isDigest } from "../../oci/digest.ts";
import { checkManifest, MAX_MANIFEST_BYTES } from "../../oci/manifest.ts";
import { manifestTypeOf } from "../../oci/manifest-view.ts";
import { readLimited } from "../network/read-body.ts";
import type { Incoming } from "../network/transport.ts";
import { readHead } from "./manifest-questions.ts";

/** The digest that the registry itself tells by HEAD for `reference`, a tag or a digest; undefined when it does not tell that. */
export function toldBy(head: Pick<Incoming, "headers">, reference: string): Digest | undefined {
  const { digest, mediaType } = readHead(head);
  if (digest === undefined || manifestTypeOf(mediaType) === undefined) return undefined;
  return isDigest(reference) && reference !== digest ? undefined : digest;
}

/**
 * The digest of the manifest that came by GET; undefined when something else did, such as a page to sign in. Throws as `readLimited` where the
 * body does not come.
 */
export async function readBy(
  reply: Incoming,
  reference: string,
  signal: AbortSignal,
): Promise<Digest | undefined> {
  const bytes = await readLimited(reply, MAX_MANIFEST_BYTES, signal);
  const wanted = isDigest(reference) ? reference : undefined;
  try {
    return checkManifest({ ...readHead(reply), bytes }, reference, wanted).manifest.digest;
  } catch {
    return undefined; // It is not the manifest that was asked for.
  }
}
