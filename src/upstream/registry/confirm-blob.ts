/**
 * Owns the proof that a client may read a blob. Most registries answer with a redirect, to where the bytes are or to a page to sign in, and the
 * two look alike. So a redirect is followed without the client's header: it proves something where it leads to the blob. No blob comes in.
 */
import { formatRangeHeader, parseContentRange } from "../../bytes/http-range.ts";
import { type Digest, possibleSize } from "../../oci/digest.ts";
import { parseContentLength, parseDigestHeader } from "../network/headers.ts";
import { discardBody } from "../network/read-body.ts";
import { isRedirect, MAX_REDIRECTS, nextHop, tooManyRedirects } from "../network/redirects.ts";
import type { Incoming, Outgoing } from "../network/transport.ts";
import { blobUrl } from "../registry-url.ts";
import type { Permission } from "../upstream-client.ts";
import { askAsClient, type ClientQuestion, isRefused, MAY_READ, unproven } from "./ask-as-client.ts";

type BlobRequest = Pick<Outgoing, "method" | "headers">;

const HEAD: BlobRequest = { method: "HEAD", headers: {} };
const FIRST_BYTE: BlobRequest = {
  method: "GET",
  headers: { range: formatRangeHeader({ start: 0, end: 1 }) },
};

/** How registries answer a HEAD of a blob that they do not support. */
const HEADLESS: readonly number[] = [400, 405, 406, 500, 501];

/** By HEAD; by a GET of one byte as well where that does not tell. undefined where it is refused, or not there. */
export async function readsBlob(
  question: ClientQuestion,
  { repository, digest }: { readonly repository: string; readonly digest: Digest },
): Promise<Permission | undefined> {
  const url = blobUrl(question.at.endpoint, repository, digest);
  for (const request of [HEAD, FIRST_BYTE]) {
    const reply = await askAsClient(question, { kind: "blob", url, ...request });
    discardBody(reply);
    const isHeadless = request === HEAD && HEADLESS.includes(reply.status);
    if (!isHeadless && !isRedirect(reply) && isRefused(question, reply)) return undefined;
    if (provesBlob(isRedirect(reply) ? await followed(question, reply, request) : reply, digest))
      return MAY_READ;
    if (request === FIRST_BYTE) throw unproven(reply);
  }
  return undefined;
}

/** What a redirect leads to for somebody who shows nothing. Throws as nextHop and the transport. */
async function followed(
  { transport, at }: ClientQuestion,
  first: Incoming,
  request: BlobRequest,
): Promise<Incoming> {
  let reply = first;
  at.onAbroad();
  for (let hops = 0; isRedirect(reply); hops++) {
    if (hops === MAX_REDIRECTS) throw tooManyRedirects(first.url);
    const url = nextHop(reply);
    reply = await transport.send({ kind: "blob", url, ...request, isStranger: true, signal: at.signal });
    discardBody(reply);
  }
  return reply;
}

/** It names the digest, or has bytes of a size that this blob can have and says that they are no page. */
function provesBlob({ status, headers }: Incoming, digest: Digest): boolean {
  if (status !== 200 && status !== 206) return false;
  const named = parseDigestHeader(headers);
  if (named !== undefined) return named === digest;
  const isBytes = /\boctet-stream\b/i.test(headers["content-type"] ?? "");
  const size =
    status === 206
      ? parseContentRange(headers["content-range"])?.size
      : isBytes
        ? parseContentLength(headers["content-length"])
        : undefined;
  return size !== undefined && possibleSize(digest, size) === size;
}
