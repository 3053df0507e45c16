/** Owns what a node does when another one tells news: it reads again, or lets go of the same. What it cannot do now it does with the next start. */
import { isGranaryError, messageOf } from "../../errors.ts";
import type { Leaving } from "../../metadata/content-removal.ts";
import type { Log } from "../../observe/log.ts";
import { isDigest } from "../../oci/digest.ts";
import type { Journal, News } from "../journal.ts";
import { ASK_ANEW, type AskAnew, askAnewOf } from "./ask-anew.ts";
import { LEFT } from "./shared-contents.ts";
import { RULES } from "./shared-rules.ts";

export type NewsActions = {
  /** Names have left the fleet. */
  readonly left: (leaving: Leaving) => Promise<void>;
  /** Rules have changed. */
  readonly rules: () => Promise<void>;
  /** What is known of these is believed no more. */
  readonly askAnew: (names: AskAnew) => void;
};

/** Returns how to stop. */
export function actOnNews(
  journal: Pick<Journal, "onNews" | "onGap">,
  actions: NewsActions,
  log: Log,
): () => void {
  const doing = (work: Promise<void>) => {
    work.catch((error: unknown) => {
      // What the database could not say now is read again when it answers.
      if (!isGranaryError(error, "closed", "fleet-unavailable"))
        log.warn({ reason: messageOf(error) }, "news of another node could not be acted on");
    });
  };
  const hear = ({ kind, body }: News) => {
    const leaving = kind === LEFT ? leavingOf(body) : undefined;
    if (leaving !== undefined) doing(actions.left(leaving));
    if (kind === RULES) doing(actions.rules());
    const names = kind === ASK_ANEW ? askAnewOf(body) : undefined;
    if (names !== undefined) actions.askAnew(names);
  };
  const stops = [journal.onNews(hear), journal.onGap(() => doing(actions.rules()))];
  return () => {
    for (const stop of stops) stop();
  };
}

/** undefined for anything else: a newer Granary may tell what this one does not know. */
function leavingOf(body: unknown): Leaving | undefined {
  const { upstream, repository, isAll, tags, digests } = (body ?? {}) as Record<string, unknown>;
  if (typeof upstream !== "string" || typeof repository !== "string" || typeof isAll !== "boolean")
    return undefined;
  if (!Array.isArray(tags) || !Array.isArray(digests)) return undefined;
  if (!tags.every((tag) => typeof tag === "string")) return undefined;
  const named = digests.filter((digest) => typeof digest === "string" && isDigest(digest));
  return named.length === digests.length ? { upstream, repository, isAll, tags, digests: named } : undefined;
}
