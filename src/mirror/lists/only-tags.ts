/** Owns a tag list without the tags that may not pass: what it names can be had. It never adds a name, and leaves the rest as it was. */
import { asObject } from "../../oci/json-value.ts";
import type { TagsAnswer } from "../mirror.ts";

/** The list with those of its tags that `passes`; one that cannot be read has none. */
export async function onlyTags(list: TagsAnswer, passes: (tag: string) => boolean): Promise<TagsAnswer> {
  const document = asObject(readJson(list.body)) ?? {};
  const { tags } = document;
  const passing = Array.isArray(tags)
    ? tags.filter((tag): tag is string => typeof tag === "string" && passes(tag))
    : [];
  return { ...list, body: Buffer.from(JSON.stringify({ ...document, tags: passing })) };
}

function readJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString("utf8"));
  } catch {
    return undefined;
  }
}
