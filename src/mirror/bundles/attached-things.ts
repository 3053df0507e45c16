/**
 * Owns what an export takes beside a name because it is attached to it: signatures, SBOMs and other referrers of its manifests, by the lists of
 * referrers and by the tags that cosign makes of a digest. What is attached to those comes too. It reads no content.
 */
import { isGranaryError } from "../../errors.ts";
import type { Metadata, RepositoryKey } from "../../metadata/metadata.ts";
import { attachmentTagsOf } from "../../oci/attachment.ts";
import type { Digest } from "../../oci/digest.ts";
import { MANIFEST_UNION } from "../../oci/media-types.ts";
import type { Mirror } from "../mirror.ts";
import type { NamedThing } from "./named-things.ts";

export type AttachedThingsParts = {
  readonly mirror: Pick<Mirror, "headManifest">;
  readonly metadata: Pick<Metadata, "tag">;
  /** What is attached to `digest` there, as far as it is known here, or with `isAsked` as its upstream says now. */
  readonly referrersOf: (
    where: RepositoryKey,
    digest: Digest,
    isAsked: boolean,
  ) => Promise<readonly Digest[]>;
};

/** Whoever exports may see what our logins can read. */
const OWNER = { loggedIn: true, userAgent: undefined, accept: MANIFEST_UNION } as const;

/**
 * What is attached to one of `digests` in `where`, stored or not; with `isAsked` the upstream is asked for it. Throws what the Mirror
 * throws when it cannot be asked then.
 */
export async function attachedThings(
  where: RepositoryKey,
  digests: Iterable<Digest>,
  parts: AttachedThingsParts,
  isAsked: boolean,
): Promise<readonly NamedThing[]> {
  const { upstream, repository } = where;
  const found: NamedThing[] = [];
  for (const digest of digests) {
    for (const tag of attachmentTagsOf(digest))
      if (await hasTag(where, tag, parts, isAsked)) found.push({ upstream, repository, tag });
    for (const referrer of await parts.referrersOf(where, digest, isAsked))
      found.push({ upstream, repository, digest: referrer });
  }
  return found;
}

async function hasTag(
  { upstream, repository }: RepositoryKey,
  tag: string,
  { mirror, metadata }: AttachedThingsParts,
  isAsked: boolean,
): Promise<boolean> {
  if (!isAsked) return (await metadata.tag({ upstream, repository, tag, acceptClass: "" })) !== undefined;
  try {
    await mirror.headManifest({ kind: "manifest", upstream, repository, reference: { tag } }, OWNER);
    return true;
  } catch (error) {
    if (isGranaryError(error, "not-found")) return false;
    throw error;
  }
}
