/**
 * Owns the question how large a blob is: HEAD, and where that does not tell, a GET of one byte. It never lets a blob's
 * body come in.
 */
import { formatRangeHeader, parseContentRange } from "../../bytes/http-range.ts";
import type { Identity } from "../../oci/credentials.ts";
import { type Digest, possibleSize } from "../../oci/digest.ts";
import { redactUrl } from "../../oci/redact.ts";
import { ANONYMOUS, identify } from "../identity/identity.ts";
import { statusError } from "../network/answer-error.ts";
import type { At } from "../network/caller.ts";
import { parseContentLength } from "../network/headers.ts";
import { discardBody } from "../network/read-body.ts";
import { readRefusal } from "../network/refusal.ts";
import { blobUrl, repositoryAt } from "../registry-url.ts";
import type { BlobHead } from "../upstream-client.ts";
import type { Uplink } from "./ask-registry.ts";
import { askRegistry, type Reply } from "./ask-registry.ts";
import { checkIsBlob } from "./blob-answer.ts";

const FIRST_BYTE = formatRangeHeader({ start: 0, end: 1 });

/** How registries answer a HEAD that they do not support, though they would answer a GET. */
const HEADLESS: readonly number[] = [400, 403, 405, 406, 500, 501];

/** undefined when the blob is not there. When the HEAD tells no size, or 0 for a blob that is not empty, a GET of one byte follows. */
export async function headBlob(
  uplink: Uplink,
  repository: string,
  digest: Digest,
  at: At,
): Promise<BlobHead | undefined> {
  const identity = await identify(uplink.upstream, repository, at);
  const head = await askBlob(uplink, repository, digest, "HEAD", identity, at);
  discardBody(head);
  if (isAbsent(head)) return undefined;
  if (head.status === 200) checkIsBlob(head.headers, digest, `HEAD ${redactUrl(head.url)}`);
  const size = head.status === 200 ? possibleSize(digest, lengthOf(head)) : undefined;
  if (size !== undefined) return { size, isMeasured: false };
  const error = statusError(head, uplink.clock.now());
  // URLs that are signed for GET refuse a HEAD, and some registries have no HEAD of blobs: a GET may succeed there. And the reason of a
  // refusal is in a body, which the answer to a HEAD does not have.
  const isRefused = HEADLESS.includes(head.status) || error.code === "upstream-refused";
  const isWorthGet = head.status === 200 || head.isAbroad || isRefused;
  if (!isWorthGet || error.code === "rate-limited") throw error;
  return sizeByGet(uplink, repository, digest, identity, at);
}

/** The same without the HEAD: the Content-Range or the length of a GET is more reliable. */
export async function measureBlob(
  uplink: Uplink,
  repository: string,
  digest: Digest,
  at: At,
): Promise<BlobHead | undefined> {
  const identity = await identify(uplink.upstream, repository, at);
  return await sizeByGet(uplink, repository, digest, identity, at);
}

async function sizeByGet(
  uplink: Uplink,
  repository: string,
  digest: Digest,
  identity: Identity,
  at: At,
): Promise<BlobHead | undefined> {
  const reply = await askBlob(uplink, repository, digest, "GET", identity, at);
  if (isAbsent(reply)) {
    discardBody(reply);
    return undefined;
  }
  const { status } = reply;
  if (![200, 206, 416].includes(status)) throw await readRefusal(reply, uplink.clock);
  discardBody(reply);
  if (status !== 416) checkIsBlob(reply.headers, digest, `GET ${redactUrl(reply.url)}`);
  const total = parseContentRange(reply.headers["content-range"])?.size;
  const size = possibleSize(digest, status === 200 ? lengthOf(reply) : total);
  // An empty blob has no first byte: 416 with "bytes */0". For any other blob, 416 to its first byte cannot be right.
  const isThere = status === 200 || status === 206 || (status === 416 && size !== undefined);
  if (isThere) return { size, isMeasured: true };
  throw statusError(reply, uplink.clock.now());
}

/** Content-Length; undefined when the body is encoded, and so has another length than the blob. */
function lengthOf({ headers }: Reply): number | undefined {
  return headers["content-encoding"] === undefined
    ? parseContentLength(headers["content-length"])
    : undefined;
}

/** One HEAD, or a GET of one byte. Without our credentials it does not follow a redirect to another origin. The caller discards the body. */
export function askBlob(
  uplink: Uplink,
  repository: string,
  digest: Digest,
  method: "GET" | "HEAD",
  identity: Identity,
  { endpoint, signal, onAbroad }: At,
): Promise<Reply> {
  return askRegistry(uplink, {
    kind: "blob",
    method,
    url: blobUrl(endpoint, repository, digest),
    headers: method === "GET" ? { range: FIRST_BYTE } : {},
    repository: repositoryAt(endpoint, repository),
    identity,
    signal,
    // How a CDN answers a HEAD does not tell who may read.
    stays: identity === ANONYMOUS,
    onAbroad,
  });
}

function isAbsent({ status, isAbroad }: Reply): boolean {
  return !isAbroad && (status === 404 || status === 401);
}
