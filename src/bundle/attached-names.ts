/**
 * Owns which names of a bundle or layout are attached to which others: signatures, SBOMs and other referrers, by the subject that their manifest
 * states or by the digest in their tag. Other programs give them no name of their own: their repository is that of what they are attached to.
 * Pure.
 */
import { subjectOf, subjectOfTag } from "../oci/attachment.ts";
import type { Digest } from "../oci/digest.ts";
import type { ListedName } from "./bundle-index.ts";
import { childrenIn } from "./parts-of.ts";

/** A name, and the name that it is attached to. */
export type Hosted<N> = { readonly name: N; readonly host: N | undefined };

/**
 * Each of `names`, in their order, with the one of them that it is attached to. `manifest` gives the bytes of those that are at hand. Of names
 * that are attached to each other in a circle none has a host.
 */
export function hostedNames<N extends ListedName>(
  names: readonly N[],
  manifest: (digest: Digest) => Uint8Array | undefined,
): readonly Hosted<N>[] {
  const owners = new Map<Digest, N>();
  const subjects = new Map<N, Digest>();
  for (const name of names) {
    const bytes = manifest(name.digest);
    const subject = subjectIn(name, bytes);
    if (subject !== undefined) subjects.set(name, subject);
    const children = bytes === undefined ? [] : childrenIn(bytes, name.mediaType);
    for (const digest of [name.digest, ...children.map((child) => child.digest)])
      if (isBetter(name, owners.get(digest))) owners.set(digest, name);
  }
  const hostOf = (name: N) => {
    const subject = subjects.get(name);
    return subject === undefined ? undefined : owners.get(subject);
  };
  return names.map((name) => ({ name, host: isRound(name, hostOf) ? undefined : hostOf(name) }));
}

/** The one that nothing is above, through however many hosts. */
export function rootOf<N>(name: N, hosts: ReadonlyMap<N, N | undefined>): N {
  const host = hosts.get(name);
  return host === undefined ? name : rootOf(host, hosts);
}

function subjectIn({ tag }: ListedName, bytes: Uint8Array | undefined): Digest | undefined {
  const ofTag = tag === undefined ? undefined : subjectOfTag(tag);
  return ofTag ?? (bytes === undefined ? undefined : subjectOf(bytes));
}

/** Of two names for one digest the one with a repository counts. */
function isBetter(name: ListedName, known: ListedName | undefined): boolean {
  return known === undefined || (known.repository === undefined && name.repository !== undefined);
}

function isRound<N>(name: N, hostOf: (name: N) => N | undefined): boolean {
  const seen = new Set<N>([name]);
  for (let host = hostOf(name); host !== undefined; host = hostOf(host)) {
    if (seen.has(host)) return true;
    seen.add(host);
  }
  return false;
}
