/**
 * Owns which names nobody needs any more in a fleet: those of its database by the uses at all nodes, which one node lets go of for all, and the copies
 * that each node has of them, by its own uses. While the database does not answer nothing leaves: what nodes have then is all that there is.
 */
import type { ContentRemoval } from "../../metadata/content-removal.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { UnneededRows } from "../../metadata/unneeded-rows.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";

type Contents = ContentRows & ContentRemoval;

export type UnneededNamesParts = {
  readonly local: Contents;
  readonly shared: Contents;
  /** What leaves by this leaves both, and the other nodes hear of it. */
  readonly both: Pick<ContentRemoval, "leave">;
  /** Whether this node is the one that does what is done once for all. */
  readonly leads: () => boolean;
  /** The date of the shared database, epoch ms. */
  readonly date: () => Promise<number>;
  readonly clock: Clock;
};

/** A node that is cut off from the database tells its uses when it is back: one that is away for less than this loses no name that it uses. */
const SLACK_MS = 30 * 86_400_000;

/** Of the fleet, and of this node. */
export function unneededNames(parts: UnneededNamesParts): readonly UnneededRows[] {
  return [unneededOfAll(parts), unneededCopies(parts)];
}

function unneededCopies({ local, date }: UnneededNamesParts): UnneededRows {
  return {
    ...local,
    areCopies: true,
    manifestsUnusedSince: async (before, limit) => {
      await date(); // It answers, or this throws.
      return await local.manifestsUnusedSince(before, limit);
    },
  };
}

function unneededOfAll({ local, shared, both, leads, date, clock }: UnneededNamesParts): UnneededRows {
  /** What was unused at the last look. */
  let seen: ReadonlySet<Digest> = new Set();
  /** As long ago by the clock of the shared database, however wrong the date of this node is. */
  const sharedDate = async (before: number) => (await date()) - (clock.now() - before) - SLACK_MS;
  return {
    ...shared,
    // A manifest that came a moment ago counts as used only when its use is written: what leaves was unused at an earlier look too.
    manifestsUnusedSince: async (before, limit) => {
      const unused = leads() ? await shared.manifestsUnusedSince(await sharedDate(before), limit) : [];
      const again = unused.filter((digest) => seen.has(digest));
      seen = new Set(unused);
      return again;
    },
    dropOldLists: async (before, limit) => {
      if (leads()) await shared.dropOldLists(await sharedDate(before), limit);
    },
    leave: (leaving) => both.leave(leaving),
    // Those of the shared database are the bucket's to let go of.
    haveLeft: (digests) => local.haveLeft(digests),
  };
}
