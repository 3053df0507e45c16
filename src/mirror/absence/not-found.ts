/** Owns the sentence for what an upstream says is not there. */
import { GranaryError } from "../../errors.ts";
import type { RepositoryKey } from "../../metadata/metadata.ts";
import { joinWords, type ToldError } from "../../oci/error-body.ts";
import { looksLikeHost } from "../../oci/reference.ts";

/**
 * `not-found` for a tag, a digest or anything else that is named inside a repository. `told` is what the upstream says of it, to those who may
 * see what it has.
 */
export function notFound(
  { upstream, repository }: RepositoryKey,
  what: string,
  told: readonly ToldError[] = [],
): GranaryError {
  const target = `${upstream}/${repository}${what.includes(":") ? "@" : ":"}${what}`;
  const words = joinWords(told);
  const why = words === undefined ? "" : ` The registry says: ${words}.`;
  const message = `${target} is not there, or is private.${why}${adviceFor(repository)}`;
  return new GranaryError("not-found", message, { target });
}

/** A repository may be called as a host is, and whoever wrote it may have meant a host. */
function adviceFor(repository: string): string {
  const [first = "", ...rest] = repository.split("/");
  if (rest.length === 0 || !looksLikeHost(first)) return "";
  return ` If "${first}" is a registry, add it under "upstreams" to use it.`;
}
