/**
 * Owns pages of a whole tag list that is stored, for when the registry cannot be asked: `n` and `last` mean what they mean in the
 * distribution-spec ("Listing Tags"). Other queries have no meaning here.
 */
import { eachItem } from "./list-items.ts";

export type TagQuery = { readonly n: number | undefined; readonly last: string | undefined };

/** What `query` asks for; undefined where it says anything but `n` and `last`. */
export function parseTagQuery(query: string): TagQuery | undefined {
  const parameters = new URLSearchParams(query);
  if ([...parameters.keys()].some((key) => key !== "n" && key !== "last")) return undefined;
  const n = parameters.get("n");
  if (n !== null && !/^\d{1,9}$/.test(n)) return undefined;
  return { n: n === null ? undefined : Number(n), last: parameters.get("last") ?? undefined };
}

export type TagPage = { readonly body: Buffer; readonly next: string | undefined };

/** The page of the list in `body` that `query` asks for. */
export async function pageOf(body: Uint8Array, repository: string, query: TagQuery): Promise<TagPage> {
  const { n = Number.POSITIVE_INFINITY, last } = query;
  const isAfter = last === undefined ? () => true : await behind(body, last);
  const items: Uint8Array[] = [];
  let isCut = false;
  await eachItem(body, "tags", (item) => {
    if (!isAfter(item)) return;
    if (items.length < n) items.push(item);
    else isCut = true;
  });
  const end = items.at(-1);
  const isMore = isCut && end !== undefined;
  return {
    body: tagList(repository, items),
    next: isMore ? `n=${n}&last=${encodeURIComponent(textOf(end) ?? "")}` : undefined,
  };
}

/** Of a list of names. */
export function tagListOf(repository: string, tags: readonly string[]): Buffer {
  return tagList(
    repository,
    tags.map((tag) => Buffer.from(JSON.stringify(tag))),
  );
}

/** True for what stands behind `last`, or, where that is not in the list any more, for what would sort behind it. */
async function behind(body: Uint8Array, last: string): Promise<(item: Uint8Array) => boolean> {
  const wanted = Buffer.from(JSON.stringify(last));
  let isThere = false;
  await eachItem(body, "tags", (item) => {
    isThere ||= wanted.equals(item);
  });
  if (!isThere) return (item) => (textOf(item) ?? "") > last;
  let isBehind = false;
  return (item) => {
    const was = isBehind;
    isBehind ||= wanted.equals(item);
    return was;
  };
}

const COMMA = Buffer.from(",");

function tagList(repository: string, items: readonly Uint8Array[]): Buffer {
  const parts = items.flatMap((item) => [COMMA, item]);
  const start = Buffer.from(`{"name":${JSON.stringify(repository)},"tags":[`);
  return Buffer.concat([start, ...parts.slice(1), Buffer.from("]}")]);
}

function textOf(item: Uint8Array): string | undefined {
  const value: unknown = JSON.parse(Buffer.from(item).toString("utf8"));
  return typeof value === "string" ? value : undefined;
}
