/** Owns the news by which nodes tell each other that something is to be asked of its registry anew, whatever they know of it. */
import type { RepositoryKey } from "../../metadata/metadata.ts";
import type { Journal } from "../journal.ts";

export type AskAnew = RepositoryKey & {
  /** None where something else of the repository was pushed. */
  readonly tags: readonly string[];
  /** A client has pushed them, or deleted them: what was absent may be there. */
  readonly isPushed: boolean;
};

/** The kind of the news; its body is an AskAnew. */
export const ASK_ANEW = "ask-anew";
/** A tag has at most 128 bytes, so that one piece of news has room for twice that. */
const MOST_TAGS = 200;

/** Throws `fleet-unavailable`. */
export async function tellAskAnew(
  journal: Pick<Journal, "tell">,
  { tags, ...where }: AskAnew,
): Promise<void> {
  let at = 0;
  do {
    await journal.tell({ kind: ASK_ANEW, body: { ...where, tags: tags.slice(at, at + MOST_TAGS) } });
    at += MOST_TAGS;
  } while (at < tags.length);
}

/** undefined for anything else: a newer Granary may tell what this one does not know. */
export function askAnewOf(body: unknown): AskAnew | undefined {
  const { upstream, repository, tags, isPushed } = (body ?? {}) as Record<string, unknown>;
  if (typeof upstream !== "string" || typeof repository !== "string" || typeof isPushed !== "boolean")
    return undefined;
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === "string")) return undefined;
  return { upstream, repository, tags, isPushed };
}
