/** Owns the tags that a pattern such as `3.*` stands for in one repository, as its registry lists them. Bounded, whatever is listed. */
import { GranaryError } from "../errors.ts";
import { eachItem } from "../mirror/lists/list-items.ts";
import { isTag } from "../oci/reference.ts";
import { globMatches } from "../routing/glob.ts";
import { throwIfAborted } from "../waiting/abort.ts";
import { asStrangerFirst, type WarmMirror } from "./warm-mirror.ts";

const MOST_TAGS = 5_000;
const MOST_PAGES = 2_000;

export type TagsAsk = { readonly upstream: string; readonly repository: string; readonly tags: string };

/** In the order of the registry. Throws `not-found` where no tag matches, with some that are there, and what `mirror.tags` throws. */
export async function tagsOf(mirror: WarmMirror, ask: TagsAsk, signal: AbortSignal): Promise<string[]> {
  const { upstream, repository, tags: glob } = ask;
  const found = new Set<string>();
  const others: string[] = [];
  let query = "";
  for (let page = 0; page < MOST_PAGES; page++) {
    throwIfAborted(signal, "listing tags");
    const { answer } = await asStrangerFirst((asker) =>
      mirror.tags({ kind: "tags", upstream, repository, query }, asker),
    );
    try {
      await eachItem(answer.body, "tags", (item) => {
        const tag = textOf(item);
        if (tag === undefined || !isTag(tag)) return;
        if (globMatches(glob, tag)) found.add(tag);
        else if (others.length < 5) others.push(tag);
      });
    } finally {
      answer.release();
    }
    if (found.size > MOST_TAGS) throw tooMany(ask);
    if (answer.next === undefined || answer.next === query) break;
    query = answer.next;
  }
  if (found.size === 0) throw none(ask, others);
  return [...found];
}

function textOf(item: Uint8Array): string | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(item).toString("utf8"));
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined; // A list that its registry wrote wrongly has fewer tags, and is a list all the same.
  }
}

function tooMany({ upstream, repository, tags }: TagsAsk): GranaryError {
  const text = `More than ${MOST_TAGS} tags of ${upstream}/${repository} match ${tags}: write a narrower pattern.`;
  return new GranaryError("reference-invalid", text);
}

function none({ upstream, repository, tags }: TagsAsk, others: readonly string[]): GranaryError {
  const there = others.length === 0 ? "it lists none" : `it has, among others, ${others.join(", ")}`;
  return new GranaryError("not-found", `No tag of ${upstream}/${repository} matches ${tags}: ${there}.`);
}
