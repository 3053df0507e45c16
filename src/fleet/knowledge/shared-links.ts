/**
 * Owns the links that a node of a fleet knows: those of its own database, and behind that of the one that all nodes share. A link that was confirmed is
 * read here first. It never says more than one of the two databases does: what is remembered here is only that the fleet has confirmed nothing.
 */
import { LRUCache } from "lru-cache";
import type { Knowledge, Link, LinkChange, RepositoryKey } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import { expiringBy, mostEntries } from "../../waiting/expiry.ts";
import { SingleFlight } from "../../waiting/single-flight.ts";

export type SharedLinksParts = {
  readonly local: Pick<Knowledge, "link" | "recordLink">;
  /** undefined also while the shared database does not answer. */
  readonly ask: (where: RepositoryKey, digest: Digest) => Promise<Link | undefined>;
  readonly clock: Clock;
};

/**
 * One request looks for a link several times before its upstream is asked, and so do all clients of a pull. No answer that is used is older than one
 * that was slow on its way, which everybody has to reckon with: a link that another node confirms is missed only by a node that had looked for it in
 * the same moment, and would have asked the upstream then.
 */
const LOOKED_MS = 100;
const MOST_LOOKED_FOR = 10_000;

/** The link of a digest in a repository, as `Knowledge.link`. */
export function sharedLinks({ local, ask, clock }: SharedLinksParts): Knowledge["link"] {
  // A crowd that comes for one blob is one question.
  const questions = new SingleFlight<Link | undefined>(clock);
  /** What the fleet had not confirmed when it was asked a moment ago. */
  const unconfirmed = new LRUCache<string, true>({
    ...mostEntries(MOST_LOOKED_FOR),
    ttl: LOOKED_MS,
    ...expiringBy(clock),
  });
  return async (where, digest) => {
    const own = await local.link(where, digest);
    const key = `${where.upstream}\n${where.repository}\n${digest}`;
    if (own?.confirmed !== undefined || unconfirmed.has(key)) return own;
    const others = await questions.run(key, () => ask(where, digest));
    if (others?.confirmed === undefined) unconfirmed.set(key, true);
    if (others === undefined) return own;
    for (const change of changesOf(others)) await local.recordLink(where, change);
    return await local.link(where, digest);
  };
}

/** The changes that make this link out of none. */
function changesOf({ digest, stated, confirmed, isImported }: Link): LinkChange[] {
  const changes: LinkChange[] = [];
  if (stated !== undefined) changes.push({ kind: "stated", digest, size: stated });
  if (confirmed !== undefined) changes.push({ kind: "confirmed", digest, ...confirmed });
  const size = confirmed?.size;
  if (isImported === true && size !== undefined)
    changes.push({ kind: "imported", digest, size, mediaType: confirmed?.mediaType });
  return changes;
}
