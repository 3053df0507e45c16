/** Owns the library's function for artifacts: a reference as people type it in, the client function bound to a Source. */
import {
  type PullArtifactOptions,
  type PulledArtifact,
  pullArtifact as pullArtifactFrom,
} from "../client/artifacts/pull-artifact.ts";
import { parseReference } from "../oci/reference.ts";
import { withSource } from "./default-source.ts";
import { platformOf } from "./hold-image.ts";
import type { LibraryOptions } from "./library-options.ts";

/**
 * Pulls an artifact (ORAS, ModelPack) into `directory`: each layer becomes a file under the path that its annotation names, all of
 * them together at the end, and different files that are there already are never replaced. `artifactType` is what it must be,
 * `maxLayers` and `maxBytes` cap it. The answer pins the reference to a digest, and lists the files. Progress is in bytes.
 *
 * Throws GranaryError: `reference-invalid`, `config-invalid`, `path-invalid`, `not-found`, `unauthorized`, `denied`,
 * `rate-limited`, `manifest-invalid` (an unsafe path, a path twice or none, above a cap, several artifacts), `digest-mismatch`,
 * `size-mismatch`, `upstream-unavailable`, `upstream-protocol`, `store-full`, `store-damaged`, `aborted`.
 */
export async function pullArtifact(
  reference: string,
  directory: string,
  options: LibraryOptions & Omit<PullArtifactOptions, "platform"> = {},
): Promise<PulledArtifact> {
  const wanted = parseReference(reference);
  const { platform: _, ...rest } = options;
  const chosen = { ...rest, ...platformOf(options) };
  return await withSource(options, (source) => pullArtifactFrom(source, wanted, directory, chosen));
}
