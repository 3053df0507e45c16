/** Owns the library's function for artifacts: a reference as people type it in, the client function bound to a Source. */
import {
  type FetchArtifactOptions,
  type FetchedArtifact,
  fetchArtifactFrom,
} from "../client/artifacts/fetch-artifact.ts";
import { parseReference } from "../oci/reference.ts";
import { withSource } from "./default-source.ts";
import type { LibraryOptions } from "./library-options.ts";
import { platformOf } from "./open-image.ts";

/**
 * Brings an artifact (ORAS, ModelPack) into `directory`: each layer becomes a file under the path that its annotation names, all of
 * them together at the end, and different files that are there already are never replaced. `artifactType` is what it must be,
 * `maxLayers` and `maxBytes` cap it. The answer pins the reference to a digest, and lists the files. Progress is in bytes.
 *
 * Throws GranaryError: `reference-invalid`, `config-invalid`, `path-invalid`, `not-found`, `unauthorized`, `denied`,
 * `rate-limited`, `manifest-invalid` (an unsafe path, a path twice or none, above a cap, several artifacts), `digest-mismatch`,
 * `size-mismatch`, `upstream-unavailable`, `upstream-protocol`, `store-full`, `store-damaged`; and the signal's reason
 * (`aborted` without one).
 */
export async function fetchArtifact(
  reference: string,
  directory: string,
  options: LibraryOptions & Omit<FetchArtifactOptions, "platform"> = {},
): Promise<FetchedArtifact> {
  const wanted = parseReference(reference);
  const { platform: _, ...rest } = options;
  const chosen = { ...rest, ...platformOf(options) };
  return await withSource(options, (source) => fetchArtifactFrom(source, wanted, directory, chosen));
}
