/** Owns refreshes: tags count as old from now on, whatever their dates say, and their upstreams are asked what they mean. */
import { GranaryError, messageOf } from "../../errors.ts";
import type { AskAnew } from "../../fleet/knowledge/ask-anew.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { RepositoryKey } from "../../metadata/metadata.ts";
import type { TagInRepository } from "../../metadata/repository-rows.ts";
import { matches, type NamePattern } from "../../routing/name-pattern.ts";
import type { ManifestHeadAnswer } from "../mirror.ts";
import { namesOfPattern } from "./names-of-pattern.ts";
import { repositoryName, type StoredNames } from "./stored-names.ts";

export type RefreshedTag = RepositoryKey & {
  readonly tag: string;
  /** What it meant before. */
  readonly before: string;
  /** What it means now; undefined where the upstream could not be asked, and in a dry run. */
  readonly now: string | undefined;
  /** Why the upstream could not be asked. */
  readonly reason: string | undefined;
};

export type RefreshParts = {
  readonly rows: ContentRows;
  readonly names: StoredNames;
  /** They are asked of their upstreams before they are served again. Throws `fleet-unavailable`. */
  readonly askAnew: (names: AskAnew) => Promise<void>;
  readonly ask: (where: RepositoryKey, tag: string) => Promise<ManifestHeadAnswer>;
};

const MOST_TAGS = 1_000;
/** A tag has one for each kind of clients. */
const MOST_ROWS = 20_000;
/** Questions to upstreams at the same time. */
const AT_ONCE = 8;

type Tag = RepositoryKey & TagInRepository;

/** Throws `not-found` with what comes near, `reference-invalid`, `route-unknown`, `fleet-unavailable` (then no upstream was asked). */
export async function refreshTags(
  parts: RefreshParts,
  text: string,
  dryRun: boolean,
): Promise<RefreshedTag[]> {
  const { names, rows } = parts;
  const pattern = await names.parse(text);
  const byName = new Map<string, Tag>();
  let isAnything = false;
  for await (const where of names.repositories(pattern)) {
    isAnything ||= (await namesOfPattern(rows, where, pattern)).length > 0;
    for (const row of await rows.tagsIn(where, MOST_ROWS)) {
      const tag = { ...where, ...row };
      if (!matches(pattern, tag)) continue;
      byName.set(`${repositoryName(tag)}:${tag.tag}`, byName.get(`${repositoryName(tag)}:${tag.tag}`) ?? tag);
    }
    if (byName.size > MOST_TAGS) throw tooMany(pattern);
  }
  if (byName.size === 0) throw isAnything ? hasNoTag(pattern) : await names.nothing(text, pattern);
  const waiting = [...byName.values()];
  if (!dryRun) await askAnew(parts, waiting);
  const refreshed: RefreshedTag[] = [];
  while (waiting.length > 0) {
    const batch = waiting.splice(0, AT_ONCE);
    refreshed.push(...(await Promise.all(batch.map((tag) => asked(parts, tag, dryRun)))));
  }
  return refreshed;
}

async function askAnew({ askAnew: ask }: RefreshParts, tags: readonly Tag[]): Promise<void> {
  const byRepository = Map.groupBy(tags, repositoryName);
  for (const group of byRepository.values()) {
    const [{ upstream, repository }] = group as [Tag];
    await ask({ upstream, repository, tags: group.map(({ tag }) => tag), isPushed: false });
  }
}

function tooMany({ text }: NamePattern): GranaryError {
  const sentence = `${text} stands for more than ${MOST_TAGS} tags, and each costs a question to its registry: name fewer. Nothing was refreshed.`;
  return new GranaryError("reference-invalid", sentence, { target: text, saysWhatToDo: true });
}

function hasNoTag({ text }: NamePattern): GranaryError {
  const sentence = `No tag is stored of what ${text} stands for: what was pulled by its digest never changes, so there is nothing to ask.`;
  return new GranaryError("not-found", sentence, { target: text, saysWhatToDo: true });
}

async function asked({ ask }: RefreshParts, tag: Tag, dryRun: boolean): Promise<RefreshedTag> {
  const { upstream, repository, digest } = tag;
  const told = { upstream, repository, tag: tag.tag, before: digest };
  if (dryRun) return { ...told, now: undefined, reason: undefined };
  try {
    const answer = await ask({ upstream, repository }, tag.tag);
    const isStale = answer.outcome === "stale";
    return { ...told, now: isStale ? undefined : answer.digest, reason: answer.warning };
  } catch (error) {
    return { ...told, now: undefined, reason: messageOf(error) };
  }
}
