/**
 * Owns a registry as something to import from, one name at a time: it need be no upstream of the Granary that the name is brought into. What is
 * read is checked on the way, and goes on after a cut.
 */
import type { ListedName } from "../../bundle/bundle-index.ts";
import { chunksUntilEnd } from "../../bytes/chunks.ts";
import { GranaryError, isGranaryError } from "../../errors.ts";
import type { Platform } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import { viewImage } from "../../oci/image-view.ts";
import type { Manifest } from "../../oci/manifest.ts";
import { isIndexType } from "../../oci/media-types.ts";
import { pickChild, platformsOf, unstatedChildren } from "../../oci/pick-child.ts";
import { formatPlatform } from "../../oci/platform.ts";
import { atDigest, formatReference, type Reference } from "../../oci/reference.ts";
import type { Source } from "../../source.ts";
import { untilAborted } from "../../waiting/abort.ts";
import { openBlob } from "../fetching/read-blob.ts";
import type { ImportSource, OfferedBlob } from "./import-source.ts";

/**
 * `reference` in `source`, with what it has for `platforms`. Takes over the source. Throws `not-found` (also where it has none of the
 * platforms), and what `source` throws.
 */
export async function openRegistryImports(
  source: Source,
  reference: Reference,
  platforms: readonly Platform[],
  signal?: AbortSignal,
): Promise<ImportSource> {
  try {
    const root = await untilAborted(source.manifest(reference), signal, "the import");
    const manifests = new Map([[root.digest, root.bytes]]);
    const sizes = new Map<Digest, number | undefined>();
    for (const child of childrenOf(root, platforms, formatReference(reference))) {
      const manifest = await untilAborted(source.manifest(atDigest(reference, child)), signal, "the import");
      manifests.set(manifest.digest, manifest.bytes);
      addBlobs(sizes, manifest);
    }
    addBlobs(sizes, root);
    const { digest, mediaType, bytes } = root;
    const { registry: upstream, repository, tag } = reference;
    const name: ListedName = { upstream, repository, tag, digest, mediaType, size: bytes.length };
    return {
      path: formatReference(reference),
      names: [name],
      manifest: async (asked) => manifests.get(asked),
      blob: async (asked) => {
        const size = sizes.get(asked);
        return size === undefined ? undefined : offeredBy(source, reference, asked, size);
      },
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

function childrenOf(root: Manifest, platforms: readonly Platform[], name: string): readonly Digest[] {
  if (!isIndexType(root.mediaType)) return [];
  const view = viewImage(root);
  if (view.kind !== "index") return [];
  const { children } = view;
  const found = platforms.flatMap((platform) => pickChild(children, platform) ?? []);
  const chosen = found.length > 0 ? found : unstatedChildren(children);
  if (chosen.length > 0) return chosen.map(({ digest }) => digest);
  const text = `${name} has nothing for ${platforms.map(formatPlatform).join(", ")}; it has ${platformsOf(children).join(", ")}: choose with --platform.`;
  throw new GranaryError("not-found", text, { target: name });
}

function addBlobs(sizes: Map<Digest, number | undefined>, manifest: Manifest): void {
  try {
    const view = viewImage(manifest);
    if (view.kind === "index") return;
    for (const { digest, size } of [view.config, ...view.layers]) sizes.set(digest, size);
  } catch (error) {
    // Whoever takes the manifest in says what is wrong with it.
    if (!isGranaryError(error, "manifest-invalid")) throw error;
  }
}

function offeredBy(source: Source, reference: Reference, digest: Digest, size: number): OfferedBlob {
  return {
    size,
    async *chunks(signal) {
      const reader = openBlob(source, reference, { digest, size }, signal === undefined ? {} : { signal });
      try {
        yield* chunksUntilEnd(reader);
      } finally {
        reader.close();
      }
    },
    close: async () => undefined,
  };
}
