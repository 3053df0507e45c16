/**
 * Owns what people ask of what is stored, and remove of it, in a fleet: the whole fleet is meant. While its database does not answer, what this node
 * knows is shown, and nothing can be removed. What another node removes is removed here when the news of it comes (`leaveHere`).
 */
import { isGranaryError } from "../../errors.ts";
import type { ContentRemoval, Leaving, LeavingRows } from "../../metadata/content-removal.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Journal } from "../journal.ts";

type Contents = ContentRows & ContentRemoval;

export type SharedContentsParts = {
  readonly local: Contents;
  readonly shared: Contents;
  readonly journal: Pick<Journal, "tell">;
};

/** The kind of the news that names have left; its body is a Leaving. */
export const LEFT = "left";
/** One piece of news has room for several times that. */
const MOST_NAMES = 200;

/** Questions of which the fleet's answer counts. */
const ASKED = [
  "repositoriesAfter",
  "holds",
  "taggedIn",
  "linkedLike",
  "isNeeded",
  "repositoriesWith",
  "ancestorsOf",
  "upstreams",
  "sizeOf",
  "repositoryUsedAt",
  "tagUsedAt",
  "tagsIn",
  "manifestsIn",
  "sumsOf",
  "partsOf",
  "listedAs",
  "referrersIn",
  "isReferrer",
  "whatLeaves",
  "linksTo",
] as const satisfies readonly (keyof Contents)[];

export function sharedContents({ local, shared, journal }: SharedContentsParts): Contents {
  const asked = Object.fromEntries(ASKED.map((name) => [name, sharedFirst(local, shared, name)]));
  const both: Pick<Contents, "recordTagUses" | "leave"> = {
    recordTagUses: async (uses) => {
      await local.recordTagUses(uses);
      await unlessAway(shared.recordTagUses(uses));
    },
    leave: async (leaving) => {
      const left = together(await shared.leave(leaving), await local.leave(leaving));
      for (const part of inParts(leaving)) await journal.tell({ kind: LEFT, body: part });
      return left;
    },
  };
  // What is not named above is of this node's disk and its own database.
  return { ...local, ...asked, ...both };
}

function sharedFirst(local: Contents, shared: Contents, name: (typeof ASKED)[number]) {
  // Both have the same method of this name.
  type Method = (...values: readonly unknown[]) => Promise<unknown>;
  const [own, others] = [local[name] as Method, shared[name] as Method];
  return async (...values: readonly unknown[]) => {
    try {
      return await others(...values);
    } catch (error) {
      if (isGranaryError(error, "fleet-unavailable")) return await own(...values);
      throw error;
    }
  };
}

function together(shared: LeavingRows, local: LeavingRows): LeavingRows {
  const keys = new Map(
    [...shared.tagKeys, ...local.tagKeys].map((key) => [`${key.tag}\n${key.acceptClass}`, key]),
  );
  const all = (of: (rows: LeavingRows) => readonly Digest[]) => [...new Set([...of(shared), ...of(local)])];
  return {
    ...shared,
    tagKeys: [...keys.values()],
    manifests: all(({ manifests }) => manifests),
    unlinked: all(({ unlinked }) => unlinked),
  };
}

/** As many as fit into one piece of news; one that is `isAll` needs no names. */
function inParts(leaving: Leaving): readonly Leaving[] {
  const { tags, digests, ...rest } = leaving;
  if (leaving.isAll) return [{ ...rest, tags: [], digests: [] }];
  const parts: Leaving[] = [];
  for (let at = 0; at < tags.length; at += MOST_NAMES)
    parts.push({ ...rest, tags: tags.slice(at, at + MOST_NAMES), digests: [] });
  for (let at = 0; at < digests.length; at += MOST_NAMES)
    parts.push({ ...rest, tags: [], digests: digests.slice(at, at + MOST_NAMES) });
  return parts;
}

async function unlessAway(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isGranaryError(error, "fleet-unavailable", "closed")) throw error;
  }
}
