/**
 * Owns what leaves a repository when names of it do: the manifests that only they need there, and the links to what these list. What another
 * name still needs stays. The same for every database; it asks, and changes nothing.
 */
import type { Digest } from "../oci/digest.ts";
import type { RepositoryKey } from "./metadata.ts";

/** What of a repository is to leave. */
export type Leaving = RepositoryKey & {
  /** Everything of it, also lists and what is known of who may see it. */
  readonly isAll: boolean;
  readonly tags: readonly string[];
  /** Manifests and blobs by their digests; tags that point to one of them leave as well. */
  readonly digests: readonly Digest[];
};

/** What leaves with it. */
export type LeavingRows = Leaving & {
  /** The rows of the tags, one for each kind of clients. */
  readonly tagKeys: readonly { readonly tag: string; readonly acceptClass: string }[];
  readonly manifests: readonly Digest[];
  /** Digests that the repository has no link to any more, manifests among them. */
  readonly unlinked: readonly Digest[];
};

/** What has to be known of the repository. */
export type LeavingQuestions = {
  tags(
    where: RepositoryKey,
  ): readonly { readonly tag: string; readonly acceptClass: string; readonly digest: Digest }[];
  /** Digests that it has a link to. */
  links(where: RepositoryKey): Digest[];
  /** Stored manifests that its upstream has confirmed there. */
  manifests(where: RepositoryKey): Digest[];
  /** What a stored manifest lists. */
  listed(parent: Digest): readonly { readonly digest: Digest; readonly role: string }[];
  /** Manifests that are confirmed there and list `child`. */
  listing(where: RepositoryKey, child: Digest): readonly Digest[];
};

/** What leaves with `leaving`, from what is known of its repository. */
export function leavingRows(leaving: Leaving, ask: LeavingQuestions): LeavingRows {
  const here = ask.tags(leaving);
  const stored = ask.manifests(leaving);
  if (leaving.isAll) {
    const found = { ...namesOf(here), manifests: stored, unlinked: ask.links(leaving) };
    return { ...leaving, ...found, digests: [] };
  }
  const named = new Set(leaving.digests);
  const isLeaving = ({ tag, digest }: { readonly tag: string; readonly digest: Digest }) =>
    leaving.tags.includes(tag) || named.has(digest);
  const going = here.filter(isLeaving);
  const below = reach([...going.map(({ digest }) => digest), ...named], ask);
  const staying = [
    ...here.filter((tag) => !isLeaving(tag)).map(({ digest }) => digest),
    ...stored.filter((digest) => !below.has(digest)),
  ];
  const needed = reach(staying, ask);
  const manifests = stored.filter(
    (digest) => below.has(digest) && (!needed.has(digest) || named.has(digest)),
  );
  return {
    ...leaving,
    ...namesOf(going),
    manifests,
    unlinked: unlinkedBy({ leaving, manifests, needed }, ask),
  };
}

function namesOf(rows: readonly { readonly tag: string; readonly acceptClass: string }[]) {
  const tags = [...new Set(rows.map(({ tag }) => tag))];
  return { tags, tagKeys: rows.map(({ tag, acceptClass }) => ({ tag, acceptClass })) };
}

type Going = {
  readonly leaving: Leaving;
  readonly manifests: readonly Digest[];
  /** Manifests that other names there stand for, and those below them. */
  readonly needed: ReadonlySet<Digest>;
};

/** The digests that were named, and what the manifests that leave list and nothing else of the repository needs. */
function unlinkedBy({ leaving, manifests, needed }: Going, ask: LeavingQuestions): Digest[] {
  const leavingManifests = new Set(manifests);
  const unlinked = new Set<Digest>([...leaving.digests, ...manifests]);
  for (const { digest } of manifests.flatMap((manifest) => ask.listed(manifest))) {
    if (unlinked.has(digest) || needed.has(digest)) continue;
    const isListed = ask.listing(leaving, digest).some((parent) => !leavingManifests.has(parent));
    if (!isListed) unlinked.add(digest);
  }
  return [...unlinked];
}

/** `roots` and the manifests below them, stored or not. */
function reach(roots: readonly Digest[], ask: LeavingQuestions): Set<Digest> {
  const found = new Set(roots);
  for (const digest of found)
    for (const child of ask.listed(digest)) if (child.role === "child") found.add(child.digest);
  return found;
}
