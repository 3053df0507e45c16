/**
 * Owns the questions that are answered with a JSON list: tags and referrers. Bodies are passed on as they came, after a check that they are
 * such a list, and so are the queries of next pages. No list is made into values, and none is ever cut.
 */
import type { Identity } from "../../oci/credentials.ts";
import type { Digest } from "../../oci/digest.ts";
import { OCI_INDEX } from "../../oci/media-types.ts";
import { identify } from "../identity/identity.ts";
import { answerError, hiddenError } from "../network/answer-error.ts";
import type { BodyRoom } from "../network/body-room.ts";
import type { At } from "../network/caller.ts";
import { parseNextLink } from "../network/headers.ts";
import { discardBody } from "../network/read-body.ts";
import { readRefusal, wordsOf } from "../network/refusal.ts";
import type { UpstreamRequestKind } from "../network/transport.ts";
import {
  MOST_QUERY,
  prefixOf,
  referrersUrl,
  repositoryAt,
  tagsUrl,
  withoutNs,
  withQuery,
} from "../registry-url.ts";
import type { OnAbsent, ReferrersList, TagsPage } from "../upstream-client.ts";
import type { Uplink } from "./ask-registry.ts";
import { askRegistry, type Reply } from "./ask-registry.ts";
import { MOST_LIST_BYTES, noList, type ReadList, readList } from "./read-list.ts";

/** The most pages of one list of referrers. Registries put dozens of referrers on each. */
const MOST_PAGES = 200;

/** undefined when the repository is not there (404). Throws `not-found` when it is absent or private (401). */
export async function listTags(
  uplink: Uplink,
  repository: string,
  query: string,
  room: BodyRoom,
  at: At,
  onAbsent?: OnAbsent,
): Promise<TagsPage | undefined> {
  const identity = await identify(uplink.upstream, repository, at);
  const reply = await askTags(uplink, repository, query, identity, at);
  if (reply.status !== 200) {
    if (reply.status === 404 || reply.status === 401) {
      onAbsent?.(await wordsOf(reply, uplink.clock));
      if (reply.status === 404) return undefined;
      throw hiddenError(reply);
    }
    throw await readRefusal(reply, uplink.clock);
  }
  const next = nextOf(reply, `/${repository}/tags/list`);
  const read = await readList(reply, { list: "tags", beside: "name" }, MOST_LIST_BYTES, room, at.signal);
  if ("fault" in read) throw noList(reply, "tag list", read);
  const { body, release } = prefixOf(at.endpoint) === undefined ? read : withName(read, repository, room);
  return { body, next, count: read.found.count, release };
}

/** The caller reads the body or discards it. */
export function askTags(
  uplink: Uplink,
  repository: string,
  query: string,
  identity: Identity,
  at: At,
): Promise<Reply> {
  const url = tagsUrl(at.endpoint, repository, query);
  return ask(uplink, "tags", url, repository, identity, at, "application/json");
}

/**
 * All pages as one list; undefined unless the upstream answers 200 with an index: 404, 401, 405 and HTML all mean "no
 * such API" (docs/protocol.md#referrers). A page
 * that is missing in the middle is an error: half a list of signatures is a wrong one.
 */
export async function listReferrers(
  uplink: Uplink,
  repository: string,
  digest: Digest,
  room: BodyRoom,
  at: At,
): Promise<ReferrersList | undefined> {
  const base = referrersUrl(at.endpoint, repository, digest);
  const identity = await identify(uplink.upstream, repository, at);
  const pages: ReadList[] = [];
  const seen = new Set<string>();
  let bytes = 0;
  try {
    for (let query: string | undefined = ""; query !== undefined; ) {
      seen.add(query);
      const url = withQuery(base, query);
      const reply = await ask(uplink, "referrers", url, repository, identity, at, OCI_INDEX);
      if (reply.status !== 200) {
        const isNoApi = reply.status !== 429 && reply.status < 500;
        if (!isNoApi || pages.length > 0) throw await readRefusal(reply, uplink.clock);
        discardBody(reply);
        return undefined;
      }
      query = nextOf(reply, `/${repository}/referrers/${digest}`);
      const page = await readList(reply, { list: "manifests" }, MOST_LIST_BYTES - bytes, room, at.signal);
      if ("fault" in page) {
        if (pages.length === 0 && (page.isOther || !isJson(reply))) return undefined;
        throw noList(reply, "list of referrers", page);
      }
      pages.push(page);
      bytes += page.body.length;
      if (query !== undefined && (pages.length >= MOST_PAGES || seen.has(query)))
        throw answerError(
          "upstream-protocol",
          reply.url,
          "has a list of referrers that does not come to an end",
        );
    }
    return joined(pages, room);
  } finally {
    for (const { release } of pages) release();
  }
}

/** Anything but JSON (a sign-in page) means that there is no such API. JSON that cannot be used is a failure, and does not mean absence. */
function isJson({ headers }: Reply): boolean {
  return /\bjson\b/i.test(headers["content-type"] ?? "");
}

function joined(pages: readonly ReadList[], room: BodyRoom): ReferrersList {
  const [only] = pages;
  const count = pages.reduce((sum, { found }) => sum + found.count, 0);
  if (only !== undefined && pages.length === 1)
    return { body: only.body, count, release: room.occupy(only.body) };
  const parts = pages.flatMap(({ body, found: { inside, count: items } }) =>
    items === 0 || inside === undefined ? [] : [COMMA, body.subarray(inside.start, inside.end)],
  );
  const body = Buffer.concat([INDEX_START, ...parts.slice(1), INDEX_END]);
  return { body, count, release: room.occupy(body) };
}

const COMMA = Buffer.from(",");
const INDEX_START = Buffer.from(`{"schemaVersion":2,"mediaType":"${OCI_INDEX}","manifests":[`);
const INDEX_END = Buffer.from("]}");

function nextOf(reply: Reply, path: string): string | undefined {
  try {
    const next = nextQuery(reply.headers.link, reply.url, path);
    return next === undefined ? undefined : withoutNs(next);
  } catch (error) {
    discardBody(reply);
    throw error;
  }
}

/**
 * The query (without its question mark) of the page that follows the answer to `asked`; undefined on the last page. Only the query of a link
 * is used, and it is sent back as it is: no link leads to another host or path. `path` is what the link's path must end in, because
 * registries behind a front end may not know what comes before it. Throws `upstream-protocol` for a page that is elsewhere, or the same one
 * again: a list that ends too early would be wrong.
 */
export function nextQuery(
  header: string | readonly string[] | undefined,
  asked: URL,
  path: string,
): string | undefined {
  const target = parseNextLink(header);
  if (target === undefined) return undefined;
  const next = URL.parse(target, asked.href);
  if (next === null || (next.pathname !== asked.pathname && !next.pathname.endsWith(path)))
    throw answerError("upstream-protocol", asked, "says that its list goes on at another path");
  const query = next.search.slice(1);
  if (query.length > MOST_QUERY)
    throw answerError(
      "upstream-protocol",
      asked,
      `says that its list goes on with more than ${MOST_QUERY} characters`,
    );
  if (query === asked.search.slice(1))
    throw answerError("upstream-protocol", asked, "says that its list goes on where it was");
  return query;
}

function ask(
  uplink: Uplink,
  kind: UpstreamRequestKind,
  url: URL,
  repository: string,
  identity: Identity,
  { endpoint, signal, onAbroad }: At,
  accept: string,
): Promise<Reply> {
  const headers = { accept };
  return askRegistry(uplink, {
    kind,
    method: "GET",
    url,
    headers,
    repository: repositoryAt(endpoint, repository),
    identity,
    signal,
    onAbroad,
  });
}

/** The list under the name that clients know: the registry puts the prefix of the endpoint before it. */
function withName({ body, found, release }: ReadList, name: string, room: BodyRoom): Omit<ReadList, "found"> {
  const { beside } = found;
  if (beside === undefined) return { body, release };
  const told = [body.subarray(0, beside.start), Buffer.from(JSON.stringify(name)), body.subarray(beside.end)];
  const renamed = Buffer.concat(told);
  release();
  return { body: renamed, release: room.occupy(renamed) };
}
