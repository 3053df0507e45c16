/**
 * Owns which manifests of an index go into a bundle: those of the platforms that were asked for, or those that are here. The index itself keeps
 * its bytes, and so lists the others too: a sparse index, which clients of one of the platforms pull like any other (docs/protocol.md#bundles).
 * Pure.
 */
import { GranaryError } from "../../errors.ts";
import type { Descriptor, Platform } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import { isAttestation, pickChild, platformsOf, unstatedChildren } from "../../oci/pick-child.ts";
import { formatPlatform } from "../../oci/platform.ts";

/** `stored`: whatever is here, or where nothing is, the platform that is the host's. */
type PlatformChoice =
  | { readonly kind: "stored" }
  | { readonly kind: "all" }
  | { readonly kind: "some"; readonly platforms: readonly Platform[] };

export type ChildChoice = {
  readonly platforms: PlatformChoice;
  /** With what is attested about the chosen ones. */
  readonly attestations: boolean;
};

export type ChosenBy = {
  /** Which manifests are here. */
  readonly isStored: (digest: Digest) => boolean;
  /** What is chosen where nothing is here and nothing is asked for. */
  readonly host: Platform;
};

/** Throws `not-found` where the index has none of the platforms; `name` is for its message. */
export function chosenChildren(
  children: readonly Descriptor[],
  { platforms, attestations }: ChildChoice,
  { isStored, host }: ChosenBy,
  name: string,
): readonly Descriptor[] {
  const images = children.filter((child) => !isAttestation(child));
  const chosen = imagesFor(images, platforms, { isStored, host });
  if (chosen.length === 0) throw noneOf(children, platforms, host, name);
  if (!attestations) return chosen;
  const digests = new Set<string>(chosen.map(({ digest }) => digest));
  const about = ({ annotations }: Descriptor) =>
    digests.has(annotations?.["vnd.docker.reference.digest"] ?? "");
  return [...chosen, ...children.filter((child) => isAttestation(child) && about(child))];
}

function imagesFor(
  images: readonly Descriptor[],
  choice: PlatformChoice,
  { isStored, host }: ChosenBy,
): readonly Descriptor[] {
  if (choice.kind === "all") return images;
  if (choice.kind === "some") return picked(images, choice.platforms);
  const stored = images.filter(({ digest }) => isStored(digest));
  if (stored.length > 0) return stored;
  return picked(images, [host]);
}

/** Of an index that states no platforms, all. */
function picked(images: readonly Descriptor[], platforms: readonly Platform[]): readonly Descriptor[] {
  const found = platforms.flatMap((platform) => pickChild(images, platform) ?? []);
  if (found.length > 0) return [...new Set(found)];
  const unstated = unstatedChildren(images);
  return unstated.length === images.length ? unstated : [];
}

function noneOf(
  children: readonly Descriptor[],
  choice: PlatformChoice,
  host: Platform,
  name: string,
): GranaryError {
  const offered = platformsOf(children).join(", ") || "no images";
  const asked =
    choice.kind === "some"
      ? choice.platforms.map(formatPlatform).join(", ")
      : choice.kind === "stored"
        ? formatPlatform(host)
        : "anything";
  const text = `${name} has nothing for ${asked}; it has ${offered}: choose with --platform.`;
  return new GranaryError("not-found", text, { target: name });
}
