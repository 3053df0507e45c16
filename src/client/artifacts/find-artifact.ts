/**
 * Owns the way from a reference to the one manifest of an artifact: itself, or the only child of an index that fits. It never
 * guesses between two.
 */
import { type ErrorFacts, GranaryError } from "../../errors.ts";
import type { Descriptor, Platform } from "../../oci/descriptor.ts";
import { type ImageView, viewImage } from "../../oci/image-view.ts";
import type { Manifest } from "../../oci/manifest.ts";
import { isAttestation, pickChild } from "../../oci/pick-child.ts";
import { formatPlatform, isStated } from "../../oci/platform.ts";
import { atDigest, formatReference, type Reference } from "../../oci/reference.ts";
import type { Source } from "../../source.ts";

export type ArtifactChoice = {
  /** The type that the artifact must have, as its manifest or its config states it. */
  readonly artifactType?: string;
  /** Which child of an index is meant. */
  readonly platform?: Platform;
};

export type FoundArtifact = {
  /** What the reference names: an index, or the artifact itself. Its digest pins the reference. */
  readonly top: Manifest;
  readonly manifest: Manifest;
  readonly view: ImageView;
};

/** Throws what `Source.manifest` throws, and `manifest-invalid`: several children fit, or none, or another type of artifact. */
export async function findArtifact(
  source: Source,
  reference: Reference,
  choice: ArtifactChoice,
): Promise<FoundArtifact> {
  const target = formatReference(reference);
  const top = await source.manifest(reference);
  const found = viewImage(top);
  if (found.kind === "image") return checked({ top, manifest: top, view: found }, choice, target);
  const child = onlyChild(found.children, choice, target);
  const manifest = await source.manifest(atDigest(reference, child.digest));
  const view = viewImage(manifest);
  if (view.kind === "index") throw unfit(target, "it is an index of indexes");
  return checked({ top, manifest, view }, choice, target);
}

function checked(found: FoundArtifact, { artifactType }: ArtifactChoice, target: string): FoundArtifact {
  const type = found.view.artifactType;
  if (artifactType === undefined || type === artifactType) return found;
  throw unfit(target, `it is of the type ${type ?? "unknown"}, expected ${artifactType}`);
}

function onlyChild(children: readonly Descriptor[], choice: ArtifactChoice, target: string): Descriptor {
  const [child, ...others] = fitting(children, choice);
  const all = children.map(describe).join(", ") || "nothing";
  if (child === undefined) throw unfit(target, `it is an index, and none of its children fits: ${all}`);
  if (others.length === 0) return child;
  const isImage = children.some(isOfImage);
  throw unfit(
    target,
    isImage
      ? `it is an index for several platforms: ${all}`
      : `it is an index of several artifacts; name one by its digest: ${all}`,
    isImage ? { isRather: "image" } : {},
  );
}

function fitting(
  children: readonly Descriptor[],
  { artifactType, platform }: ArtifactChoice,
): readonly Descriptor[] {
  const fit = children.filter((child) => {
    // Many indexes do not repeat the type: then the child's own manifest decides.
    const type = child.artifactType ?? artifactType;
    return !isAttestation(child) && (artifactType === undefined || type === artifactType);
  });
  if (platform === undefined) return fit;
  const best = pickChild(fit, platform);
  return best === undefined ? [] : [best];
}

function isOfImage({ platform, artifactType }: Descriptor): boolean {
  return artifactType === undefined && platform !== undefined && isStated(platform);
}

function describe({ digest, artifactType, platform }: Descriptor): string {
  const facts = [artifactType, platform && formatPlatform(platform)].filter((fact) => fact !== undefined);
  return facts.length === 0 ? digest : `${digest} (${facts.join(", ")})`;
}

function unfit(target: string, reason: string, facts?: ErrorFacts): GranaryError {
  return new GranaryError("manifest-invalid", `${target} cannot be pulled as an artifact: ${reason}.`, {
    ...facts,
    target,
  });
}
