/**
 * Owns whether every client may have the bytes of a digest by one of its names already. Where that is not so, who brings in a name for them has
 * to bring the bytes too: knowing a digest permits nothing, also to the author of a bundle that somebody else imports. It asks no upstream.
 */
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { Metadata, RepositoryKey } from "../../metadata/metadata.ts";
import type { Digest } from "../../oci/digest.ts";
import type { UpstreamClient } from "../../upstream/upstream-client.ts";
import { thingIn } from "./strangers.ts";

export type EverybodysParts = {
  readonly contents: Pick<ContentRows, "repositoriesWith">;
  readonly metadata: Pick<Metadata, "link" | "visibility">;
  readonly clients: () => readonly Pick<UpstreamClient, "upstream" | "hasOwnAccess">[];
};

/** More names of one digest are not looked through. */
const MOST_REPOSITORIES = 200;

/** Whether all that this upstream has is for every client. */
export function isForAll({
  hasOwnAccess,
  upstream,
}: Pick<UpstreamClient, "upstream" | "hasOwnAccess">): boolean {
  return !hasOwnAccess || upstream.policy.privateContent === "share";
}

/** True where it was imported, was seen to be public, or comes from an upstream that shows us no more than others. */
export async function isEverybodys(digest: Digest, parts: EverybodysParts): Promise<boolean> {
  const { contents, clients } = parts;
  const open = new Set(
    clients()
      .filter(isForAll)
      .map(({ upstream }) => upstream.name),
  );
  // Nothing here was ever private.
  if (open.size === clients().length) return true;
  for (const where of await contents.repositoriesWith(digest, MOST_REPOSITORIES))
    if (await isEverybodysIn(where, digest, open, parts)) return true;
  return false;
}

async function isEverybodysIn(
  where: RepositoryKey,
  digest: Digest,
  open: ReadonlySet<string>,
  { metadata }: EverybodysParts,
): Promise<boolean> {
  const link = await metadata.link(where, digest);
  if (link?.isImported === true) return true;
  if (open.has(where.upstream)) return link?.confirmed !== undefined;
  return (await metadata.visibility(thingIn(where, digest)))?.isPublic === true;
}
