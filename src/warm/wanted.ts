/**
 * Owns what an image or a model needs to be here whole: its manifests, of the platforms that are wanted, and the blobs that these list.
 * Manifests are fetched through the Mirror on the way and are stored by that; blobs are not touched.
 */
import { GranaryError } from "../errors.ts";
import type { Descriptor, Platform } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { parseDescriptor } from "../oci/image-view.ts";
import { asObject, objects, parseJsonObject, textOf } from "../oci/json-value.ts";
import type { Manifest } from "../oci/manifest.ts";
import { type ManifestLink, viewManifest } from "../oci/manifest-view.ts";
import { isIndexType } from "../oci/media-types.ts";
import { isAttestation, pickChild, platformsOf } from "../oci/pick-child.ts";
import { formatPlatform, isMatch } from "../oci/platform.ts";
import type { ManifestTarget } from "../routing/target.ts";

export type WantedChoice = {
  /** Empty for all. */
  readonly platforms: readonly Platform[];
  readonly attestations: boolean;
};

export type WantedContent = {
  /** Of what the reference names. */
  readonly digest: Digest;
  /** Each blob once. */
  readonly blobs: readonly ManifestLink[];
  readonly manifests: number;
  /** What it does not have of what was asked for, as a clause; undefined when it has all. */
  readonly lacks: string | undefined;
};

/** Gives the manifest at `target`. */
export type ManifestOf = (target: ManifestTarget) => Promise<Manifest>;

/** Indexes inside each other: no builder nests them deeper. */
const MOST_DEPTH = 4;
const MOST_MANIFESTS = 500;

/** Throws `not-found` where no platform that is wanted is there, `manifest-invalid`, and what `manifestOf` throws. */
export async function wantedContent(
  target: ManifestTarget,
  choice: WantedChoice,
  manifestOf: ManifestOf,
): Promise<WantedContent> {
  const top = await manifestOf(target);
  const blobs = new Map<Digest, ManifestLink>();
  const seen = new Set<Digest>([top.digest]);
  const found: Platform[] = [];
  const visit = async (manifest: Manifest, depth: number): Promise<void> => {
    if (!isIndexType(viewManifest(manifest.bytes, manifest.mediaType).mediaType))
      return blobsOf(manifest).forEach((blob) => void blobs.set(blob.digest, blob));
    if (depth > MOST_DEPTH) throw tooDeep(target);
    for (const child of chosen(childrenOf(manifest), choice)) {
      if (child.platform !== undefined) found.push(child.platform);
      if (seen.has(child.digest)) continue;
      seen.add(child.digest);
      if (seen.size > MOST_MANIFESTS) throw tooDeep(target);
      await visit(await manifestOf({ ...target, reference: { digest: child.digest } }), depth + 1);
    }
  };
  await visit(top, 0);
  const lacks = isIndexType(top.mediaType) ? lacksOf(childrenOf(top), found, choice) : undefined;
  if (seen.size === 1 && lacks !== undefined)
    throw new GranaryError("not-found", `${nameOf(target)} ${lacks}.`);
  return { digest: top.digest, blobs: [...blobs.values()], manifests: seen.size, lacks };
}

/** The children of an index that are wanted. */
export function chosen(
  children: readonly Descriptor[],
  { platforms, attestations }: WantedChoice,
): Descriptor[] {
  const images = children.filter((child) => !isAttestation(child));
  const picked =
    platforms.length === 0 ? images : platforms.flatMap((wanted) => pickChild(images, wanted) ?? []);
  const all = new Set(picked);
  if (!attestations) return [...all];
  const digests = new Set<string>([...all].map(({ digest }) => digest));
  const said = children.filter(
    (child) => isAttestation(child) && digests.has(child.annotations?.["vnd.docker.reference.digest"] ?? ""),
  );
  return [...all, ...said];
}

export function childrenOf({ bytes, mediaType }: Manifest): Descriptor[] {
  return viewManifest(bytes, mediaType).children.map(parseDescriptor);
}

/** Config, layers and other blobs that the manifest lists, without those that no registry has (layers of Windows with a URL of their own). */
export function blobsOf({ bytes, mediaType }: Manifest): readonly ManifestLink[] {
  const layers = objects(asObject(parseJsonObject(bytes))?.layers);
  const elsewhere = new Set(layers.filter(isElsewhere).map(({ digest }) => textOf(digest)));
  return viewManifest(bytes, mediaType).links.filter(({ digest }) => !elsewhere.has(digest));
}

/** opencontainers/image-spec layer.md, "Non-Distributable Layers": clients take them from `urls`. */
function isElsewhere({ mediaType, urls }: Readonly<Record<string, unknown>>): boolean {
  const isForeign = /foreign|nondistributable/.test(textOf(mediaType) ?? "");
  return isForeign && Array.isArray(urls) && urls.length > 0;
}

function lacksOf(
  children: readonly Descriptor[],
  found: readonly Platform[],
  { platforms }: WantedChoice,
): string | undefined {
  const missing = platforms.filter((wanted) => !found.some((offered) => isMatch(wanted, offered)));
  if (missing.length === 0) return undefined;
  const offered = platformsOf(children).slice(0, 12).join(", ") || "none that it states";
  return `is not there for ${missing.map(formatPlatform).join(", ")} (it is for ${offered})`;
}

function tooDeep(target: ManifestTarget): GranaryError {
  return new GranaryError("manifest-invalid", `${nameOf(target)} lists more images than any builder makes.`);
}

function nameOf({ upstream, repository, reference }: ManifestTarget): string {
  const end = "tag" in reference ? `:${reference.tag}` : `@${reference.digest}`;
  return `${upstream}/${repository}${end}`;
}
