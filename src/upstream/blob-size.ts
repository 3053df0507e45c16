/**
 * Owns the question how large a blob is: HEAD, and where that does not tell, a GET of one byte. It never lets a blob's
 * body come in.
 */
import type { Digest } from "../oci/digest.ts";
import { lengthHeader } from "./blob-answer.ts";
import type { At } from "./caller.ts";
import { parseContentRange } from "./content-range.ts";
import { exchange, type Reply } from "./exchange.ts";
import { identify } from "./identity.ts";
import { discardBody } from "./read-body.ts";
import { blobUrl } from "./registry-url.ts";
import { statusError } from "./status-error.ts";
import type { Uplink } from "./uplink.ts";

/** undefined when the blob is not there. Throws `upstream-protocol` when the size cannot be learned. */
export async function headBlob(
  uplink: Uplink,
  repository: string,
  digest: Digest,
  at: At,
): Promise<{ readonly size: number } | undefined> {
  const head = await askBlob(uplink, repository, digest, at, "HEAD");
  discardBody(head);
  if (isAbsent(head)) return undefined;
  const size = head.headers["content-encoding"] === undefined ? lengthHeader(head.headers) : undefined;
  if (head.status === 200 && size !== undefined) return { size };
  const error = statusError(head, uplink.clock.now());
  // URLs signed for GET refuse HEAD, and some registries do not know HEAD of blobs: only then the GET can do better.
  const isWorthGet = head.status === 200 || head.isAbroad || [403, 405, 501].includes(head.status);
  if (!isWorthGet || error.code === "rate-limited") throw error;
  return sizeByGet(uplink, repository, digest, at);
}

async function sizeByGet(
  uplink: Uplink,
  repository: string,
  digest: Digest,
  at: At,
): Promise<{ readonly size: number } | undefined> {
  const reply = await askBlob(uplink, repository, digest, at, "GET");
  discardBody(reply);
  if (isAbsent(reply)) return undefined;
  const total = parseContentRange(reply.headers["content-range"])?.size;
  // An empty blob has no first byte: 416 with "bytes */0".
  const size = reply.status === 200 ? lengthHeader(reply.headers) : total;
  if ([200, 206, 416].includes(reply.status) && size !== undefined) return { size };
  throw statusError(reply, uplink.clock.now());
}

async function askBlob(
  { transport, authorizer, upstream }: Uplink,
  repository: string,
  digest: Digest,
  at: At,
  method: "GET" | "HEAD",
): Promise<Reply> {
  const { endpoint, signal, onAbroad } = at;
  return exchange(transport, authorizer, {
    kind: "blob",
    method,
    url: blobUrl(endpoint, repository, digest),
    headers: method === "GET" ? { range: "bytes=0-0" } : {},
    repository,
    identity: await identify(upstream, repository, at),
    signal,
    onAbroad,
  });
}

function isAbsent({ status, isAbroad }: Reply): boolean {
  return !isAbroad && (status === 404 || status === 401);
}
