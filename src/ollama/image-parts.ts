/** Owns the three parts of a model's name that callers of older tools expect, over the real grammar of model-name.ts. Pure. */
import { wantedOf } from "../oci/reference.ts";
import { parseModelName } from "./model-name.ts";

export type ImageParts = {
  /** "latest" when none is given; the digest where the name has one. */
  readonly tag: string;
  /** The namespace, "library" when none is given. */
  readonly repository: string;
  readonly image: string;
};

/**
 * `gemma:2b` -> `{ tag: "2b", repository: "library", image: "gemma" }`. A host in front is parsed and left out: `parseModelName`
 * tells it. Throws `reference-invalid`.
 */
export function parseImageParts(name: string): ImageParts {
  const reference = parseModelName(name);
  const slash = reference.repository.indexOf("/");
  return {
    tag: wantedOf(reference),
    repository: reference.repository.slice(0, slash),
    image: reference.repository.slice(slash + 1),
  };
}
