/**
 * Owns the Metadata port: what we know (blobs held, manifests, tags with freshness, links, last use). Async, though
 * the SQLite driver is synchronous, so that a server database can implement it. It never touches blob files.
 */
import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";

export type BlobRecord = {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Epoch ms. */
  readonly usedAt: number;
  /** When its bytes were last found to be the digest's, epoch ms; without it nobody has hashed them, and they are only said to be. */
  readonly verifiedAt?: number;
};

/** Where a tag lives. `acceptClass` is "" for the union that upstreams are normally asked with. */
export type TagKey = {
  readonly upstream: string;
  readonly repository: string;
  readonly tag: string;
  readonly acceptClass: string;
};

/** upstream/repository:tag -> digest, and when that was last known to be so. */
export type TagRecord = TagKey & {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  /** Epoch ms. */
  readonly checkedAt: number;
};

export type RepositoryKey = { readonly upstream: string; readonly repository: string };

/**
 * Whether a repository could be read without what only we have, and when that was probed (epoch ms). One digest in it is noted in the same
 * way, as the repository `NAME@DIGEST`.
 */
export type Visibility = { readonly isPublic: boolean; readonly checkedAt: number };

/** What the upstream of a repository has answered for a digest there. */
export type Confirmation = {
  /** Bytes; undefined where it did not say. */
  readonly size: number | undefined;
  /** An answer with the bytes themselves told the size, or could not: no HEAD and no document knows better. */
  readonly isMeasured: boolean;
  /** What it calls the document, where it is a manifest. */
  readonly mediaType: string | undefined;
};

/** What is known of a digest in one repository: what documents there state of it is a size, and no proof that it is there. */
export type Link = {
  readonly digest: Digest;
  /** Bytes, as a descriptor there states them. */
  readonly stated: number | undefined;
  /** Set once the repository's own upstream has answered for the digest there: what it said. */
  readonly confirmed: Confirmation | undefined;
};

/** News of one link. A word of the upstream is not lost to what a document states, nor a measure to a word. */
export type LinkChange = { readonly digest: Digest } & (
  | { readonly kind: "stated"; readonly size: number | undefined }
  | ({ readonly kind: "confirmed" } & Confirmation)
  /** Its size turned out wrong: none is known any more. */
  | { readonly kind: "unsized" }
);

/** A descriptor of a manifest: what it lists, with the size that it states. */
export type Listed = { readonly digest: Digest; readonly size: number | undefined };

/** Of tags `name` is the query that a page was asked with, and "" for the whole list; of referrers, the digest that they refer to. */
export type ListKey = RepositoryKey & { readonly kind: "tags" | "referrers"; readonly name: string };

/** The last list that an upstream gave. */
export type ListRecord = ListKey & {
  readonly body: Uint8Array;
  /** `body` is deflated. */
  readonly isPacked: boolean;
  /** Of tags: the query of the next page, if there is one. Of referrers: "api" where the upstream's own API gave them. */
  readonly detail: string | undefined;
  /** Epoch ms. */
  readonly checkedAt: number;
};

export interface Metadata {
  /** A blob is on disk. Recording it again replaces what was known of it. */
  recordBlob(blob: BlobRecord): Promise<void>;
  /** All of them in one transaction. Absent is fine. */
  forgetBlobs(digests: readonly Digest[]): Promise<void>;
  blob(digest: Digest): Promise<BlobRecord | undefined>;
  /** Least recently used first (of those that are equal the lowest digest), at most `limit`; those that come after `after`. */
  coldestBlobs(limit: number, after?: Pick<BlobRecord, "usedAt" | "digest">): Promise<BlobRecord[]>;
  /** In the order of their digests, those after `after` (all of them after ""), at most `limit`. Throws where they cannot be read. */
  blobsAfter(after: string, limit: number): Promise<BlobRecord[]>;
  /** The blob was hashed again, and is right. Absent is fine. */
  recordVerified(digest: Digest, verifiedAt: number): Promise<void>;
  /**
   * Blobs that were not verified between `since` and `now` (epoch ms): never verified ones first, then the longest ago; at most `limit`.
   */
  blobsToVerify(since: number, now: number, limit: number): Promise<BlobRecord[]>;
  /** How many blobs there are, with how many bytes, and how many manifests. Kept, not counted: asking costs the same for a million. */
  sums(): Promise<{ readonly blobs: number; readonly bytes: number; readonly manifests: number }>;
  /** Bytes that the database takes: they count against the disk's budget like blobs. */
  size(): Promise<number>;
  /** Last uses, of blobs and of manifests, epoch ms, in one transaction. Unknown digests are passed over. */
  touch(uses: ReadonlyMap<Digest, number>): Promise<void>;
  /**
   * Last uses that lie after `now` cannot be true: they become ones just before `before` (at most `now`), in the order that they had. All are
   * epoch ms. Nothing is written when there are none.
   */
  clampUses(now: number, before: number): Promise<void>;

  /** The manifest that came from `where`, its own confirmed link, and stated ones to what it lists, in one transaction. */
  recordManifest(where: RepositoryKey, manifest: Manifest, listed: readonly Listed[]): Promise<void>;
  /** As it was written; the disk may have changed its bytes since, and whoever uses them must look (isSoundManifest). */
  manifest(digest: Digest): Promise<Manifest | undefined>;
  /** Absent is fine. Its links stay. */
  forgetManifest(digest: Digest): Promise<void>;
  /** In the order of their digests, those after `after` (all of them after ""), at most `limit`. */
  manifestsAfter(after: string, limit: number): Promise<Manifest[]>;

  recordTag(record: TagRecord): Promise<void>;
  tag(key: TagKey): Promise<TagRecord | undefined>;
  forgetTag(key: TagKey): Promise<void>;
  /** Tags of one repository that we hold, lexical order, without duplicates. */
  tagsOf(where: RepositoryKey): Promise<string[]>;

  /** The link as it is after `change` (link-change.ts). Of this repository alone: no other one's links change. */
  recordLink(where: RepositoryKey, change: LinkChange): Promise<void>;
  link(where: RepositoryKey, digest: Digest): Promise<Link | undefined>;

  recordVisibility(where: RepositoryKey, visibility: Visibility): Promise<void>;
  visibility(where: RepositoryKey): Promise<Visibility | undefined>;

  /** The last list under its key. Of the pages of one repository's tags only some are kept. */
  recordList(record: ListRecord): Promise<void>;
  list(key: ListKey): Promise<ListRecord | undefined>;
  /** Absent is fine. */
  forgetList(key: ListKey): Promise<void>;

  /**
   * Sees to it that what was recorded can be found by the next start: true when that had to be mended, because somebody removed
   * the database under us. Throws `store-full`, `store-damaged` and, where another one lies in its place, `config-invalid`, each with what
   * to do.
   */
  putBack(): Promise<boolean>;

  close(): Promise<void>;
}
