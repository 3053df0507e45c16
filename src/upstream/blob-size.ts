/**
 * Owns the question how large a blob is: HEAD, and where that does not tell, a GET of one byte. It never lets a blob's
 * body come in.
 */
import type { Identity } from "../oci/credentials.ts";
import type { Digest } from "../oci/digest.ts";
import { lengthHeader } from "./blob-answer.ts";
import type { At } from "./caller.ts";
import { parseContentRange } from "./content-range.ts";
import { exchange, type Reply } from "./exchange.ts";
import { identify } from "./identity.ts";
import { discardBody } from "./read-body.ts";
import { blobUrl, repositoryAt } from "./registry-url.ts";
import { statusError } from "./status-error.ts";
import type { Uplink } from "./uplink.ts";

/** What registries say to a HEAD that they cannot answer, though a GET would be. */
const HEADLESS: readonly number[] = [400, 403, 405, 406, 500, 501];

/** undefined when the blob is not there. Throws `upstream-protocol` when the size cannot be learned. */
export async function headBlob(
  uplink: Uplink,
  repository: string,
  digest: Digest,
  at: At,
): Promise<{ readonly size: number } | undefined> {
  const identity = await identify(uplink.upstream, repository, at);
  const head = await askBlob(uplink, repository, digest, "HEAD", identity, at);
  discardBody(head);
  if (isAbsent(head)) return undefined;
  const size = head.headers["content-encoding"] === undefined ? lengthHeader(head.headers) : undefined;
  if (head.status === 200 && size !== undefined) return { size };
  const error = statusError(head, uplink.clock.now());
  // URLs signed for GET refuse HEAD, and some registries do not know HEAD of blobs: then the GET can do better, which is what matters.
  const isWorthGet = head.status === 200 || head.isAbroad || HEADLESS.includes(head.status);
  if (!isWorthGet || error.code === "rate-limited") throw error;
  return sizeByGet(uplink, repository, digest, identity, at);
}

async function sizeByGet(
  uplink: Uplink,
  repository: string,
  digest: Digest,
  identity: Identity,
  at: At,
): Promise<{ readonly size: number } | undefined> {
  const reply = await askBlob(uplink, repository, digest, "GET", identity, at);
  discardBody(reply);
  if (isAbsent(reply)) return undefined;
  const total = parseContentRange(reply.headers["content-range"])?.size;
  // An empty blob has no first byte: 416 with "bytes */0".
  const size = reply.status === 200 ? lengthHeader(reply.headers) : total;
  if ([200, 206, 416].includes(reply.status) && size !== undefined) return { size };
  throw statusError(reply, uplink.clock.now());
}

/** One HEAD, or a GET of one byte. Whoever asks discards the body. */
export function askBlob(
  { transport, authorizer }: Uplink,
  repository: string,
  digest: Digest,
  method: "GET" | "HEAD",
  identity: Identity,
  { endpoint, signal, onAbroad }: At,
): Promise<Reply> {
  return exchange(transport, authorizer, {
    kind: "blob",
    method,
    url: blobUrl(endpoint, repository, digest),
    headers: method === "GET" ? { range: "bytes=0-0" } : {},
    repository: repositoryAt(endpoint, repository),
    identity,
    signal,
    onAbroad,
  });
}

function isAbsent({ status, isAbroad }: Reply): boolean {
  return !isAbroad && (status === 404 || status === 401);
}
