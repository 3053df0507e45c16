/**
 * Owns the Metadata port, which is two: the BlobCatalog says what this disk holds, and the Knowledge what is known of repositories (manifests,
 * tags and when they were checked, links, who may see what). Async, though the SQLite driver is synchronous, so that a server database can
 * implement the Knowledge. It never touches blob files.
 */
import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";

export type BlobRecord = {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Epoch ms. */
  readonly usedAt: number;
  /** When its bytes were last found to be the digest's, epoch ms; absent when nobody has hashed them. */
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
  /**
   * Set when the owner of this Granary brought it in (epoch ms): as long as the upstream names no other digest for the tag, it is served
   * whatever the upstream says of it. While `checkedAt` is not later, the upstream has never been asked.
   */
  readonly importedAt?: number;
};

/** A tag that is stored, for whatever clients. */
export type KnownTag = Pick<TagRecord, "tag" | "checkedAt">;

export type RepositoryKey = { readonly upstream: string; readonly repository: string };

/**
 * Whether a repository could be read without our credentials, and when that was tried (epoch ms). A single digest in it has such a row too,
 * under the repository name `NAME@DIGEST`.
 */
export type Visibility = { readonly isPublic: boolean; readonly checkedAt: number };

/** What the upstream of a repository has answered for a digest there. */
export type Confirmation = {
  /** Bytes; undefined where it did not say. */
  readonly size: number | undefined;
  /** True when an answer that carried the bytes told the size (or told none): that counts more than a HEAD or a document. */
  readonly isMeasured: boolean;
  /** What it calls the document, where it is a manifest. */
  readonly mediaType: string | undefined;
};

/** What is known of a digest in one repository. That a document there lists it tells its size, and does not prove that it is there. */
export type Link = {
  readonly digest: Digest;
  /** Bytes, as a descriptor there states them. */
  readonly stated: number | undefined;
  /** Set once the repository's own upstream has answered for the digest there: what it said. */
  readonly confirmed: Confirmation | undefined;
  /** The owner of this Granary brought it in: every client may have it, whatever the upstream says of it. */
  readonly isImported?: true;
};

/** Something new about a link. What the upstream confirmed is not replaced by what a document states, nor a measured size by a stated one. */
export type LinkChange = { readonly digest: Digest } & (
  | { readonly kind: "stated"; readonly size: number | undefined }
  | ({ readonly kind: "confirmed" } & Confirmation)
  /** The owner of this Granary brought it in, so it is there; its size is that of its bytes. */
  | { readonly kind: "imported"; readonly size: number; readonly mediaType: string | undefined }
  /** Its size turned out to be wrong: it is unknown from now on. */
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

/** One name that the owner of this Granary brings in, with all that it consists of; its blobs are stored already. */
export type ImportRecord = {
  readonly where: RepositoryKey;
  readonly manifests: readonly { readonly manifest: Manifest; readonly listed: readonly Listed[] }[];
  readonly blobs: readonly { readonly digest: Digest; readonly size: number }[];
  /** undefined for what goes by its digest alone. */
  readonly tag: TagRecord | undefined;
};

/** What the disk of this node holds, and when it was used. */
interface BlobCatalog {
  /** A blob is on disk. Recording it again replaces what was known of it. */
  recordBlob(blob: BlobRecord): Promise<void>;
  /** All of them in one transaction. Absent is fine. */
  forgetBlobs(digests: readonly Digest[]): Promise<void>;
  blob(digest: Digest): Promise<BlobRecord | undefined>;
  /** Least recently used first (of those that are equal the lowest digest), at most `limit`; those after `after` in this order. */
  coldestBlobs(limit: number, after?: Pick<BlobRecord, "usedAt" | "digest">): Promise<BlobRecord[]>;
  /** In the order of their digests, those after `after` (all of them after ""), at most `limit`. Throws where they cannot be read. */
  blobsAfter(after: string, limit: number): Promise<BlobRecord[]>;
  /** The blob was hashed again, and is right. Absent is fine. */
  recordVerified(digest: Digest, verifiedAt: number): Promise<void>;
  /**
   * Blobs that were not verified between `since` and `now` (epoch ms): never verified ones first, then the longest ago; at most `limit`.
   */
  blobsToVerify(since: number, now: number, limit: number): Promise<BlobRecord[]>;
  /** How many blobs there are, with how many bytes, and how many manifests. The sums are kept up to date, so this costs the same for a million. */
  sums(): Promise<{ readonly blobs: number; readonly bytes: number; readonly manifests: number }>;
  /** Bytes that the database takes: they count against the disk budget, like blobs. */
  size(): Promise<number>;
  /** Last uses, of blobs and of manifests, epoch ms, in one transaction. Unknown digests are ignored. */
  touch(uses: ReadonlyMap<Digest, number>): Promise<void>;
  /**
   * Last uses that lie after `now` cannot be true: they become ones just before `before` (at most `now`), in the order that they had. All are
   * epoch ms. Nothing is written when there are none.
   */
  clampUses(now: number, before: number): Promise<void>;
}

/** What is known of repositories. Of one node alone, or of all nodes of a fleet. */
export interface Knowledge {
  /** The manifest that came from `where`, its own confirmed link, and stated ones to what it lists, in one transaction. */
  recordManifest(where: RepositoryKey, manifest: Manifest, listed: readonly Listed[]): Promise<void>;
  /** As it was written. A disk can damage its bytes: whoever uses them must check them (isSoundManifest). */
  manifest(digest: Digest): Promise<Manifest | undefined>;
  /** Absent is fine. Its links stay. */
  forgetManifest(digest: Digest): Promise<void>;
  /** In the order of their digests, those after `after` (all of them after ""), at most `limit`. */
  manifestsAfter(after: string, limit: number): Promise<Manifest[]>;

  /**
   * Manifests, imported links and the tag, in one transaction: either all of the name is known afterwards or nothing of it. Unlike other
   * writes it never waits in memory: throws `store-full`, `store-damaged`.
   */
  recordImport(record: ImportRecord): Promise<void>;

  recordTag(record: TagRecord): Promise<void>;
  tag(key: TagKey): Promise<TagRecord | undefined>;
  forgetTag(key: TagKey): Promise<void>;
  /** Tags of one repository that are stored, in lexical order, without duplicates. */
  tagsOf(where: RepositoryKey): Promise<KnownTag[]>;

  /** The link as it is after `change` (link-change.ts). The links of other repositories do not change. */
  recordLink(where: RepositoryKey, change: LinkChange): Promise<void>;
  link(where: RepositoryKey, digest: Digest): Promise<Link | undefined>;

  recordVisibility(where: RepositoryKey, visibility: Visibility): Promise<void>;
  visibility(where: RepositoryKey): Promise<Visibility | undefined>;

  /** Replaces the list under its key. Of the pages of one repository's tags only the newest are stored. */
  recordList(record: ListRecord): Promise<void>;
  list(key: ListKey): Promise<ListRecord | undefined>;
  /** Absent is fine. */
  forgetList(key: ListKey): Promise<void>;
}

/** What a node of a fleet keeps of what all nodes know. */
export interface KnowledgeCopies {
  /** The document is here too, with what it lists; no repository is linked to it by that. */
  keepManifest(manifest: Manifest): Promise<void>;
}

export interface Metadata extends BlobCatalog, Knowledge {
  /**
   * Makes sure that the next start will find what was recorded. True when the database had to be written again, because somebody removed
   * it under us. Throws `store-full`, `store-damaged` and, where another one lies in its place, `config-invalid`, each with what
   * to do.
   */
  putBack(): Promise<boolean>;

  close(): Promise<void>;
}
