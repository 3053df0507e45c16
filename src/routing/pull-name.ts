/**
 * Owns PullName: what a person names to have it brought here, as a pull would: without a tag the tag "latest", and the tag may be a pattern.
 * Patterns over repositories are refused, because registries do not tell which repositories they have. Pure.
 */
import { GranaryError } from "../errors.ts";
import { isDigest } from "../oci/digest.ts";
import { DEFAULT_TAG } from "../oci/reference.ts";
import { type NamePattern, parsePattern } from "./name-pattern.ts";
import type { RoutedUpstream } from "./routing.ts";

/** One thing to bring in: a tag, a digest, or the tags that a pattern stands for. */
export type PullName = {
  /** As it was written. */
  readonly text: string;
  readonly upstream: string;
  readonly repository: string;
} & ({ readonly tag: string } | { readonly digest: string } | { readonly tags: string });

/** Throws `reference-invalid` for what names nothing that could be pulled, and `route-unknown`. */
export function parsePullName(text: string, upstreams: Iterable<RoutedUpstream>): PullName {
  const pattern = parsePattern(text, upstreams);
  const { upstream, repository, tag = DEFAULT_TAG, digest } = pattern;
  if (isOpen(pattern)) {
    const why =
      "registries do not tell which repositories they have, so each is named by itself; only a tag may have * in it";
    throw invalid(text, why);
  }
  const where = { text, upstream, repository };
  if (digest !== undefined && !isDigest(digest)) throw invalid(text, "a digest has to be whole here");
  if (digest !== undefined) return { ...where, digest };
  return tag.includes("*") ? { ...where, tags: tag } : { ...where, tag };
}

function isOpen({ upstream, repository }: NamePattern): boolean {
  return upstream.includes("*") || repository.includes("*");
}

function invalid(text: string, reason: string): GranaryError {
  const shown = text.slice(0, 100);
  return new GranaryError("reference-invalid", `"${shown}" cannot be brought in: ${reason}.`, {
    found: shown,
  });
}
