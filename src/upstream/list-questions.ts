/**
 * Owns the questions that are answered with a JSON list: tags and referrers. Bodies are handed on as they came, after
 * a look that they are the JSON they should be: an HTML page must never be kept as a list.
 */

import type { Identity } from "../oci/credentials.ts";
import type { Digest } from "../oci/digest.ts";
import { OCI_INDEX } from "../oci/media-types.ts";
import { answerError } from "./answer-error.ts";
import type { At } from "./caller.ts";
import { exchange, type Reply } from "./exchange.ts";
import { identify } from "./identity.ts";
import { parseNextPage } from "./next-page.ts";
import { discardBody, readLimited } from "./read-body.ts";
import { prefixOf, referrersUrl, repositoryAt, tagsUrl } from "./registry-url.ts";
import { hiddenError, statusError } from "./status-error.ts";
import type { RequestKind } from "./transport.ts";
import type { Uplink } from "./uplink.ts";
import type { TagsPage } from "./upstream-client.ts";

/** 100,000 tags of 80 characters. */
const MAX_LIST_BYTES = 8 * 2 ** 20;

type PageAsk = { readonly n?: string; readonly last?: string };

/** undefined when the repository is not there (404). Throws `not-found` when it is absent or private (401). */
export async function listTags(
  uplink: Uplink,
  repository: string,
  page: PageAsk,
  at: At,
): Promise<TagsPage | undefined> {
  const identity = await identify(uplink.upstream, repository, at);
  const reply = await askTags(uplink, repository, page, identity, at);
  if (reply.status !== 200) {
    discardBody(reply);
    if (reply.status === 404) return undefined;
    throw reply.status === 401 ? hiddenError(reply) : statusError(reply, uplink.clock.now());
  }
  const body = await readLimited(reply, MAX_LIST_BYTES, at.signal);
  if (!hasList(body, "tags")) {
    throw answerError("upstream-protocol", reply.url, "answered with something that is no tag list");
  }
  const text = body.toString("utf8");
  // The name with the prefix of the endpoint is between us and it.
  const told = prefixOf(at.endpoint) === undefined ? text : withName(text, repository);
  return { body: told, next: parseNextPage(reply.headers.link) };
}

/** Whoever asks reads the body or discards it. */
export function askTags(
  uplink: Uplink,
  repository: string,
  page: PageAsk,
  identity: Identity,
  at: At,
): Promise<Reply> {
  const url = tagsUrl(at.endpoint, repository, page);
  return ask(uplink, "tags", url, repository, identity, at, "application/json");
}

/** undefined unless the upstream answers 200 with an index: 404, 401, 405 and HTML all mean "no such API" (H60). */
export async function listReferrers(
  uplink: Uplink,
  repository: string,
  digest: Digest,
  at: At,
): Promise<Uint8Array | undefined> {
  const url = referrersUrl(at.endpoint, repository, digest);
  const identity = await identify(uplink.upstream, repository, at);
  const reply = await ask(uplink, "referrers", url, repository, identity, at, OCI_INDEX);
  if (reply.status !== 200) {
    discardBody(reply);
    if (reply.status !== 429 && reply.status < 500) return undefined;
    throw statusError(reply, uplink.clock.now());
  }
  const body = await readLimited(reply, MAX_LIST_BYTES, at.signal);
  return hasList(body, "manifests") ? body : undefined;
}

function ask(
  { transport, authorizer }: Uplink,
  kind: RequestKind,
  url: URL,
  repository: string,
  identity: Identity,
  { endpoint, signal, onAbroad }: At,
  accept: string,
): Promise<Reply> {
  const headers = { accept };
  return exchange(transport, authorizer, {
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

function withName(body: string, name: string): string {
  const list = JSON.parse(body) as Record<string, unknown>;
  return JSON.stringify({ ...list, name });
}

/** `{"tags": null}` is what some registries say for "none". */
function hasList(body: Buffer, key: string): boolean {
  try {
    const parsed: unknown = JSON.parse(body.toString("utf8"));
    if (typeof parsed !== "object" || parsed === null || !(key in parsed)) return false;
    const list = (parsed as Record<string, unknown>)[key];
    return list === null || Array.isArray(list);
  } catch {
    return false; // HTML, or nothing at all: the caller says what that means.
  }
}
