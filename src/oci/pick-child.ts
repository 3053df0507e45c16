/**
 * Owns the choice of an index's child for a platform. Pure: it goes by what the index says; children that say nothing are for
 * whoever can open them.
 */
import type { Descriptor, Platform } from "./descriptor.ts";
import { distanceOf, formatPlatform, isStated } from "./platform.ts";

/** BuildKit lists what it attests about an image beside the image (its attestation-storage.md). */
const ATTESTS = "vnd.docker.reference.type";

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

function isAttestation({ platform, annotations }: Descriptor): boolean {
  const isUnknown = platform?.os === "unknown" && platform.architecture === "unknown";
  return isUnknown || annotations?.[ATTESTS] !== undefined;
}
