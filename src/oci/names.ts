/**
 * Owns the grammar of repository names and tags (distribution-spec, "Pulling manifests"). Pure; the Ollama
 * registry has a wider grammar of its own in ollama/model-name.ts.
 */

const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** Many clients cap host + name at 255 characters; so do we. */
export const MAX_REPOSITORY_LENGTH = 255;

export function isRepositoryName(text: string): boolean {
  return text.length <= MAX_REPOSITORY_LENGTH && REPOSITORY.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** What people write for a registry in front of a name: with a dot or a port in it, or "localhost". A repository may be called so too. */
export function looksLikeHost(segment: string): boolean {
  return segment.includes(".") || segment.includes(":") || segment === "localhost";
}
