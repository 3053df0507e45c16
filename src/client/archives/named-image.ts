/**
 * Owns the choice of one image in an archive by its name, and the Reference that the chosen one goes by. Pure. Names are what
 * the archive's writer put there: references, bare tags, or nothing at all.
 */
import { GranaryError } from "../../errors.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { formatReference, isTag, parseReference, type Reference } from "../../oci/reference.ts";

export type NamedImage = {
  /** As the archive has them; a digest where it has none. */
  readonly names: readonly string[];
  /** What two entries of one image have in common. */
  readonly identity: string;
};

const MAX_SHOWN = 20;

/**
 * The entries of the image that `wanted` names, or of the only one there is. Throws `not-found` when no entry has that name, and
 * `reference-invalid` when several images are there and none is named; both list the names.
 */
export function chooseNamed<T extends NamedImage>(
  images: readonly T[],
  wanted: string | undefined,
  path: string,
): readonly T[] {
  if (wanted !== undefined) {
    const chosen = images.filter(({ names }) => names.some((name) => isSameName(name, wanted)));
    if (chosen.length > 0) return chosen;
    const message = `${path} has no image "${wanted}"; it has ${namesOf(images)}.`;
    throw new GranaryError("not-found", message, { target: wanted });
  }
  if (new Set(images.map(({ identity }) => identity)).size === 1) return images;
  const message = `${path} has several images: say which one by ocifile:PATH#NAME, of ${namesOf(images)}.`;
  throw new GranaryError("reference-invalid", message, { target: path });
}

/**
 * The Reference of the image with `digest`: by the first of `names` that is one. What has no repository of its own is of
 * "localhost/archive" ("localhost" is what Podman calls images that no registry has).
 */
export function referenceOf(names: readonly string[], digest: Digest): Reference {
  const [named] = referencesIn(names);
  const tag = names.find(isTag);
  return { ...(named ?? { registry: "localhost", repository: "archive", tag }), digest };
}

/** Those of `names` that are references, in their order. */
export function referencesIn(names: readonly string[]): Reference[] {
  return names
    .filter((name) => /[/:]/.test(name) && !isDigest(name))
    .flatMap((name) => referenceIn(name) ?? []);
}

function isSameName(name: string, wanted: string): boolean {
  if (name === wanted) return true;
  const canonical = canonicalOf(wanted);
  return canonical !== undefined && canonical === canonicalOf(name);
}

function canonicalOf(name: string): string | undefined {
  const reference = referenceIn(name);
  return reference && formatReference(reference);
}

function referenceIn(name: string): Reference | undefined {
  try {
    return parseReference(name);
  } catch {
    return undefined; // Archives name images as they like; such a name is matched as it stands.
  }
}

function namesOf(images: readonly NamedImage[]): string {
  const names = [...new Set(images.flatMap((image) => image.names))];
  const more = names.length > MAX_SHOWN ? ` and ${names.length - MAX_SHOWN} more` : "";
  return `${names.slice(0, MAX_SHOWN).join(", ")}${more}`;
}
