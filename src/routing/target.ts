/** Owns Target: one parsed request, as a value. Only routing.ts and library callers make one; nothing else parses a URL into one. */
import type { Digest } from "../oci/digest.ts";

export type ManifestTarget = {
  readonly kind: "manifest";
  readonly upstream: string;
  readonly repository: string;
  /** Either a tag or a digest. */
  readonly reference: { readonly tag: string } | { readonly digest: Digest };
};

export type BlobTarget = {
  readonly kind: "blob";
  readonly upstream: string;
  readonly repository: string;
  readonly digest: Digest;
};

export type TagsTarget = {
  readonly kind: "tags";
  readonly upstream: string;
  readonly repository: string;
  /** As the client wrote it, but without `ns`; "" when there is none. It is passed to the upstream as it is. */
  readonly query: string;
};

export type ReferrersTarget = {
  readonly kind: "referrers";
  readonly upstream: string;
  readonly repository: string;
  readonly digest: Digest;
  readonly artifactType: string | undefined;
};

export type Target = ManifestTarget | BlobTarget | TagsTarget | ReferrersTarget;
