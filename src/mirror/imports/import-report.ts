/** Owns what is told of an import: of each name what became of it, of each blob that did not come why. Data only; it is also what a dry run tells. */
import type { Digest } from "../../oci/digest.ts";

/**
 * `imported`: it is served from now on. `present`: the same was here already, with all of its parts. `kept`: the tag is here and stands for
 * something else, which stays. `damaged`: a part of it has wrong bytes. `incomplete`: the bundle lacks a part of it. `refused`: it cannot be
 * served here, or there is no room for it.
 */
export type ImportOutcome = "imported" | "present" | "kept" | "damaged" | "incomplete" | "refused";

export type ImportedName = {
  /** As a person writes it. */
  readonly name: string;
  readonly digest: Digest;
  readonly outcome: ImportOutcome;
  /** Why it was not imported; a sentence. */
  readonly reason?: string;
  /** What the tag stood for before, where that is something else. */
  readonly before?: Digest;
  /** Bytes of all its parts. */
  readonly size: number;
  /** Parts that it still lacks: what a dry run would have to be given. */
  readonly missing: readonly { readonly digest: Digest; readonly size: number }[];
  /** Manifests that its index lists and that the bundle does not bring, other platforms mostly. */
  readonly absent: number;
};

export type ImportReport = {
  readonly names: readonly ImportedName[];
  /** In bytes: what was written, and what was here before. */
  readonly copied: number;
  readonly present: number;
  /** Blobs with wrong bytes: nothing of them was kept. */
  readonly damaged: readonly Digest[];
  readonly dryRun: boolean;
};
