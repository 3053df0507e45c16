/** Owns what a manifest states itself, whatever type somebody called it by: what it lists, and its type. Pure; it refuses no document. */
import { isGranaryError } from "../../errors.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Manifest } from "../../oci/manifest.ts";
import { type ManifestView, viewManifest } from "../../oci/manifest-view.ts";

export type OwnFacts = {
  readonly listed: readonly Digest[];
  /** What the document says of its own type, in words or by its shape; undefined where only who gave it knows. */
  readonly ownType: string | undefined;
  readonly statesType: boolean;
};

export function ownFacts({ bytes, mediaType }: Manifest): OwnFacts {
  const view = viewOf(bytes, mediaType);
  const { links = [], statesType = false } = view ?? {};
  const ownType = statesType ? view?.mediaType : viewOf(bytes, undefined)?.mediaType;
  return { listed: links.map((link) => link.digest), statesType, ownType };
}

function viewOf(bytes: Uint8Array, called: string | undefined): ManifestView | undefined {
  try {
    return viewManifest(bytes, called);
  } catch (error) {
    // Stored when our checks were laxer, or of a type that only its registry has a name for: its bytes are right all the same.
    if (isGranaryError(error, "manifest-invalid")) return undefined;
    throw error;
  }
}
