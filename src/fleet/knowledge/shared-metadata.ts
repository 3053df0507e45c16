/**
 * Owns what a node of a fleet knows: its own database, and behind that the one that all nodes share. What the fleet knows is kept here as well, so
 * that this node goes on while the shared one does not answer. What changes (tags, lists, who may see what) is read from both, and the newer counts;
 * what never changes is read here first. It decides nothing about upstreams, and permission is never wider than what one of the two says.
 */

import { isGranaryError } from "../../errors.ts";
import type { Knowledge, KnowledgeCopies, Metadata } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { Digest } from "../../oci/digest.ts";
import { isSoundManifest } from "../../oci/manifest.ts";
import { LateWrites } from "./late-writes.ts";
import { sharedLinks } from "./shared-links.ts";

export type SharedParts = {
  /** This node's own. */
  readonly local: Metadata;
  readonly copies: KnowledgeCopies;
  readonly shared: Knowledge;
  readonly log: Log;
  readonly clock: Clock;
  /** Hears of uses at this node. */
  readonly used: (uses: ReadonlyMap<Digest, number>) => void;
  /** Hears of blobs that were brought in from elsewhere: no upstream has to have them, so the fleet needs them soon. */
  readonly imported: (digests: readonly Digest[]) => void;
};

export type SharedMetadata = Metadata & {
  /** Writes what could not be written to the shared database; called when it answers again. */
  flushShared(): Promise<void>;
  /** What waits for that. */
  readonly unshared: number;
};

/** Its `close` closes the local one only. */
export function sharedMetadata({
  local,
  copies,
  shared,
  log,
  clock,
  used,
  imported,
}: SharedParts): SharedMetadata {
  const late = new LateWrites(log);
  const newer = async <T extends { readonly checkedAt: number }>(
    read: (from: Knowledge) => Promise<T | undefined>,
    keep: (row: T) => Promise<void>,
  ): Promise<T | undefined> => {
    const [own, others] = await Promise.all([read(local), unlessAway(read(shared))]);
    if (others === undefined || (own !== undefined && own.checkedAt >= others.checkedAt)) return own;
    await keep(others);
    return others;
  };
  const link = sharedLinks({
    ...{ local, clock },
    ask: (where, digest) => unlessAway(shared.link(where, digest)),
  });
  return {
    ...ownOf(local),
    touch: async (uses) => {
      used(uses);
      await local.touch(uses);
    },
    get unshared() {
      return late.count;
    },
    flushShared: () => late.flush(),

    recordManifest: async (where, manifest, listed) => {
      await local.recordManifest(where, manifest, listed);
      await late.write(() => shared.recordManifest(where, manifest, listed), manifest.bytes.length);
    },
    manifest: async (digest) => {
      const own = await local.manifest(digest);
      if (own !== undefined) return own;
      const others = await unlessAway(shared.manifest(digest));
      if (others !== undefined && isSoundManifest(others)) await copies.keepManifest(others);
      return others;
    },
    forgetManifest: async (digest) => {
      await local.forgetManifest(digest);
      const others = await unlessAway(shared.manifest(digest));
      if (others !== undefined && !isSoundManifest(others))
        await late.write(() => shared.forgetManifest(digest));
    },

    /** A person waits for it, and is told when the fleet cannot know it. */
    recordImport: async (record) => {
      await shared.recordImport(record);
      await local.recordImport(record);
      imported(record.blobs.map(({ digest }) => digest));
    },

    recordTag: async (record) => {
      await local.recordTag(record);
      await late.write(() => shared.recordTag(record));
    },
    tag: (key) =>
      newer(
        (from) => from.tag(key),
        (record) => local.recordTag(record),
      ),
    forgetTag: async (key) => {
      await local.forgetTag(key);
      await late.write(() => shared.forgetTag(key));
    },
    tagsOf: async (where) => {
      const [own, others = []] = await Promise.all([local.tagsOf(where), unlessAway(shared.tagsOf(where))]);
      const latest = new Map<string, number>();
      for (const { tag, checkedAt } of [...own, ...others])
        latest.set(tag, Math.max(checkedAt, latest.get(tag) ?? checkedAt));
      return [...latest.keys()].sort().map((tag) => ({ tag, checkedAt: latest.get(tag) ?? 0 }));
    },

    recordLink: async (where, change) => {
      await local.recordLink(where, change);
      await late.write(() => shared.recordLink(where, change));
    },
    link,

    recordVisibility: async (where, visibility) => {
      await local.recordVisibility(where, visibility);
      await late.write(() => shared.recordVisibility(where, visibility));
    },
    visibility: (where) =>
      newer(
        (from) => from.visibility(where),
        (visibility) => local.recordVisibility(where, visibility),
      ),

    recordList: async (record) => {
      await local.recordList(record);
      await late.write(() => shared.recordList(record), record.body.length);
    },
    list: (key) =>
      newer(
        (from) => from.list(key),
        (record) => local.recordList(record),
      ),
    forgetList: async (key) => {
      await local.forgetList(key);
      await late.write(() => shared.forgetList(key));
    },
  };
}

/** What is of this node's disk alone. */
function ownOf(local: Metadata): Omit<Metadata, keyof Knowledge> & Pick<Knowledge, "manifestsAfter"> {
  return {
    recordBlob: (blob) => local.recordBlob(blob),
    forgetBlobs: (digests) => local.forgetBlobs(digests),
    blob: (digest) => local.blob(digest),
    coldestBlobs: (limit, after) => local.coldestBlobs(limit, after),
    blobsAfter: (after, limit) => local.blobsAfter(after, limit),
    recordVerified: (digest, verifiedAt) => local.recordVerified(digest, verifiedAt),
    blobsToVerify: (since, now, limit) => local.blobsToVerify(since, now, limit),
    sums: () => local.sums(),
    size: () => local.size(),
    touch: (uses) => local.touch(uses),
    clampUses: (now, before) => local.clampUses(now, before),
    putBack: () => local.putBack(),
    close: () => local.close(),
    // Whoever goes through all documents looks at the copies of this disk.
    manifestsAfter: (after, limit) => local.manifestsAfter(after, limit),
  };
}

/** What the shared database says; undefined while it does not answer: unknown permits nothing. */
async function unlessAway<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isGranaryError(error, "fleet-unavailable", "store-damaged", "closed")) return undefined;
    throw error;
  }
}
