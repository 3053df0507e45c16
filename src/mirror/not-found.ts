/** Owns the sentence for what an upstream says is not there. */
import { GranaryError } from "../errors.ts";
import type { RepositoryKey } from "../metadata/metadata.ts";

/** `not-found` for a tag, a digest or anything else that is named inside a repository. */
export function notFound({ upstream, repository }: RepositoryKey, what: string): GranaryError {
  const target = `${upstream}/${repository}${what.includes(":") ? "@" : ":"}${what}`;
  return new GranaryError("not-found", `${target} is not there, or is private.`, { target });
}
