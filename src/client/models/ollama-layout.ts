/**
 * Owns every path in Ollama's store (manifest/paths.go, server/images.go): where its programs look, and where ours may work
 * without being seen by them. Pure.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { GranaryError } from "../../errors.ts";
import { algorithmOf, type Digest, encodedOf } from "../../oci/digest.ts";

export type OllamaLayout = {
  readonly blobs: string;
  readonly manifests: string;
  /**
   * Where blobs lie until they are whole. A directory, because `ollama serve` removes files without a blob's name from
   * `blobs`, and blobs without a manifest, once they are an hour old (PruneLayers); directories it leaves alone.
   */
  readonly staging: string;
  /** Throws `manifest-invalid` for a digest that Ollama does not know. */
  blob(digest: Digest): string;
  staged(digest: Digest): string;
  /**
   * A new name for a manifest that is being written. Every file four levels below `manifests` counts as a model, so that
   * a draft must never lie beside its final name.
   */
  manifestDraft(): string;
};

/** `directory` is what OLLAMA_MODELS points at. */
export function ollamaLayout(directory: string): OllamaLayout {
  const blobs = join(directory, "blobs");
  const manifests = join(directory, "manifests");
  const staging = join(blobs, ".granary");
  return {
    blobs,
    manifests,
    staging,
    blob: (digest) => join(blobs, fileOf(digest)),
    staged: (digest) => join(staging, fileOf(digest)),
    manifestDraft: () => join(manifests, `.granary-${randomUUID()}`),
  };
}

function fileOf(digest: Digest): string {
  if (algorithmOf(digest) === "sha256") return `sha256-${encodedOf(digest)}`;
  throw new GranaryError("manifest-invalid", `Ollama's store takes sha256 digests only, not ${digest}.`, {
    found: digest,
  });
}
