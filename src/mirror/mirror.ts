/**
 * Owns the Mirror port: the whole engine behind one facade. It answers any Target from disk or by filling from
 * upstream, and knows nothing of HTTP. Failures are GranaryErrors; http/ maps their codes.
 */
import type { FillFacts } from "../fill/fill-facts.ts";
import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import type { Purpose } from "../purpose.ts";
import type { BlobTarget, ManifestTarget, ReferrersTarget, TagsTarget } from "../routing/target.ts";
import type { ReadableBlob } from "../source.ts";
import type { UpstreamStatus } from "../upstream/upstream-client.ts";
import type { VerifyOptions, VerifyReport } from "./upkeep/verify-report.ts";

/**
 * Where an answer came from; the label of metrics and of `X-Cache`. "shared": from a transfer that somebody else's request had begun.
 */
export type Outcome = "hit" | "miss" | "shared" | "revalidated" | "stale" | "bypass";

/** Who asks: what the mirror needs to know of a client to answer it. */
export type Asker = {
  /** True when the listener verified a login: such a client may see what our credentials can read. */
  readonly loggedIn: boolean;
  /**
   * What the client showed for the registry itself, as it came: opaque, sent to the endpoints of that upstream only, never logged and never kept.
   * It may see what the registry gives to whoever shows this.
   */
  readonly authorization?: string | undefined;
  readonly userAgent: string | undefined;
  /** Its plain address; nothing where this process itself asks. */
  readonly client?: string | undefined;
  /** What a blob is wanted for; a client that waits, by default. */
  readonly purpose?: Purpose | undefined;
  /** The tag and the pull that it belongs to, where the asker knows them: shown, and nothing is decided by them. */
  readonly tag?: string | undefined;
  readonly pull?: string | undefined;
};

export type ManifestAsker = Asker & {
  /** Media types the client lists, lower case, without parameters; empty when it sent none. */
  readonly accept: readonly string[];
};

export type ManifestHeadAnswer = {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
  readonly outcome: Outcome;
  /** Text for a `Warning: 299` header: why a stored answer was served without asking the upstream. */
  readonly warning: string | undefined;
  /** Milliseconds since the tag was last checked upstream; 0 for a digest. */
  readonly ageMs: number;
};

export type ManifestAnswer = Omit<ManifestHeadAnswer, "digest" | "mediaType" | "size"> & {
  readonly manifest: Manifest;
};

export type FoundBlob = { readonly blob: ReadableBlob; readonly outcome: Outcome };

/** A list, in memory until `release` is called: when it was sent, or nobody wants it any more. */
export type ListAnswer = {
  /** JSON text. */
  readonly body: Uint8Array;
  readonly release: () => void;
  readonly outcome: Outcome;
  /** As for a manifest. */
  readonly warning: string | undefined;
  /** When the upstream gave it; epoch ms. */
  readonly checkedAt: number;
};

/** `{"name", "tags"}`, as the upstream gives it. */
export type TagsAnswer = ListAnswer & {
  /** The query of the next page, without a question mark: the upstream's own, to be handed on and sent back as it is. */
  readonly next: string | undefined;
};

/** An OCI index. */
export type ReferrersAnswer = ListAnswer & {
  /** True when `artifactType` was applied (answer `OCI-Filters-Applied: artifactType`). */
  readonly filtered: boolean;
};

/** What a blob is to what lists it. `model`: the weights, or a part of them. `other`: a file of an artifact, a license, a template and the like. */
export const BLOB_ROLES = ["config", "layer", "model", "other"] as const;

export type BlobRole = (typeof BLOB_ROLES)[number];

/** Something that goes for room. */
export type RoomVictim = {
  readonly kind: "blob" | "partial" | "damaged";
  /** A digest; of a damaged file, its name. */
  readonly what: string;
  /** Bytes. */
  readonly size: number;
  /** Epoch ms; undefined where it does not count. */
  readonly usedAt: number | undefined;
  /** Repositories that list it, a few of them. */
  readonly names: readonly string[];
};

export type ShownFill = FillFacts & {
  /** What the blob is to what lists it, where that is known. */
  readonly role?: BlobRole | undefined;
};

/** All in bytes. */
export type ShownDisk = {
  readonly used: number;
  readonly budget: number;
  readonly free: number;
  /** The first few that would be evicted, in their order; as of the last few seconds. */
  readonly next?: readonly RoomVictim[];
};

export type MirrorStatus = {
  /** Two upstreams' transfers of one digest are two. */
  readonly fills: readonly ShownFill[];
  readonly pins: number;
  readonly upstreams: readonly UpstreamStatus[];
  readonly disk: ShownDisk;
  readonly blobs: number;
  readonly manifests: number;
  /** What is wrong with the store right now, each with what to do about it; clients are served all the same. */
  readonly troubles: readonly string[];
};

/**
 * Every method that takes a Target throws `not-found`, `route-unknown` (no such upstream), `denied` (private content, and
 * the asker may not see it), `rate-limited`, `upstream-unavailable`, `upstream-protocol`, `digest-mismatch`,
 * `client-outdated`, `closed`.
 */
export interface Mirror {
  /**
   * What `manifest` gives, or with `isHead` what `headManifest` tells, where it can be said at once, from memory; undefined in all other cases,
   * and then nothing has happened. It throws nothing.
   */
  manifestAtOnce(target: ManifestTarget, ask: ManifestAsker, isHead: boolean): ManifestAnswer | undefined;
  /** The manifest with its bytes. */
  manifest(target: ManifestTarget, ask: ManifestAsker): Promise<ManifestAnswer>;
  /** The same without bytes: a cold tag costs one upstream HEAD and no GET. */
  headManifest(target: ManifestTarget, ask: ManifestAsker): Promise<ManifestHeadAnswer>;
  /** A pinned, readable blob; the caller calls `blob.release()` whatever happens. */
  blob(target: BlobTarget, asker: Asker): Promise<FoundBlob>;
  /**
   * An address by which the client gets the blob without its bytes passing here, for a GET that is to be redirected; undefined where it is to be
   * served from here. It is a secret of this client. Only where a fleet redirects.
   */
  blobAddress?(target: BlobTarget, asker: Asker): Promise<string | undefined>;
  /** Size without any body transfer; undefined where nobody states it. */
  statBlob(
    target: BlobTarget,
    asker: Asker,
  ): Promise<{ readonly digest: Digest; readonly size: number | undefined; readonly outcome: Outcome }>;
  tags(target: TagsTarget, asker: Asker): Promise<TagsAnswer>;
  referrers(target: ReferrersTarget, asker: Asker): Promise<ReferrersAnswer>;
  status(): Promise<MirrorStatus>;
  /** Looks at everything that is stored, beside the serving; throws `aborted` when its signal says so. */
  verify(options: VerifyOptions): Promise<VerifyReport>;
  /** Stops new work, gives fills `deadlineMs` to checkpoint, flushes uses, closes the database. Idempotent. */
  close(deadlineMs: number): Promise<void>;
}
