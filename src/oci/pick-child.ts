/**
 * Owns the choice of an index's child for a platform, by what the index itself says. Children without a platform are for a caller that can
 * open them. Pure.
 */
import type { Descriptor, Platform } from "./descriptor.ts";
import { distanceOf, formatPlatform, isStated } from "./platform.ts";

/** The child that serves `wanted` best, the first of equals; undefined when none does. Never an attestation. */
export function pickChild(children: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  let best: { readonly child: Descriptor; readonly distance: number } | undefined;
  for (const child of children.filter(isForPlatform)) {
    const distance = child.platform && distanceOf(wanted, child.platform);
    if (distance !== undefined && distance < (best?.distance ?? Number.POSITIVE_INFINITY)) {
      best = { child, distance };
    }
  }
  return best?.child;
}

/** Children that could be images but do not say for which platform. */
export function unstatedChildren(children: readonly Descriptor[]): Descriptor[] {
  return children.filter((child) => !isAttestation(child) && child.platform === undefined);
}

/** What an index offers, each platform once, in its order. */
export function platformsOf(children: readonly Descriptor[]): string[] {
  const stated = children.filter(isForPlatform).flatMap(({ platform }) => platform ?? []);
  return [...new Set(stated.map(formatPlatform))];
}

function isForPlatform(child: Descriptor): boolean {
  return !isAttestation(child) && child.platform !== undefined && isStated(child.platform);
}

/** True for what BuildKit attests about an image, listed beside the image (moby/buildkit docs/attestations/attestation-storage.md). */
export function isAttestation({ annotations }: Descriptor): boolean {
  return annotations?.["vnd.docker.reference.type"] !== undefined;
}
