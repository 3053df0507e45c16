/**
 * Owns how a blob is answered: size and digest in the headers, ranges, conditions, and the Location that Ollama's probe
 * needs. The bytes go through send-body.ts; the Pin is released when the body is over, however it ends (F12).
 */
import { lengthOf } from "../../bytes/byte-range.ts";
import { formatContentRange, parseRangeHeader } from "../../bytes/http-range.ts";
import { GranaryError } from "../../errors.ts";
import type { Outcome } from "../../mirror/mirror.ts";
import type { Digest } from "../../oci/digest.ts";
import { OCTET_STREAM } from "../../oci/media-types.ts";
import type { BlobTarget } from "../../routing/target.ts";
import type { BlobReader, ReadableBlob } from "../../source.ts";
import { byteParts } from "../answers/byte-parts.ts";
import { allowsRange, formatEntityTag, matchesAny } from "../answers/entity-tag.ts";
import { type HeaderList, refuse, respondEmpty } from "../answers/respond.ts";
import { sendBody } from "../answers/send-body.ts";
import { ownUrl, type RegistryRequest } from "./registry-request.ts";

export async function answerBlob(request: RegistryRequest, target: BlobTarget): Promise<void> {
  const { incoming, mirror, account, asker } = request;
  const isKnownToClient = matchesAny(incoming.headers["if-none-match"], target.digest);
  if (incoming.method === "HEAD" || isKnownToClient) {
    const { digest, size, outcome } = await mirror.statBlob(target, asker);
    account.outcome = outcome;
    if (isKnownToClient) return respondEmpty(request, 304, withIdentity(request, digest, outcome));
    return respondEmpty(request, 200, wholeHeaders(request, digest, outcome, size));
  }
  const address = mirror.blobAddress && (await mirror.blobAddress(target, asker));
  if (address !== undefined) return redirect(request, target.digest, address);
  const { blob, outcome } = await mirror.blob(target, asker);
  account.outcome = outcome;
  try {
    await sendBlob(request, blob, outcome);
  } finally {
    blob.release();
  }
}

/** The method and the range stay (RFC 9110, 15.4.8). The address is a secret: nothing may keep it, and no log has it. */
function redirect(request: RegistryRequest, digest: Digest, address: string): void {
  request.account.outcome = "hit";
  const headers = withIdentity(request, digest, "hit");
  headers.push("Location", address, "Cache-Control", "no-store");
  respondEmpty(request, 307, headers);
}

async function sendBlob(request: RegistryRequest, blob: ReadableBlob, outcome: Outcome): Promise<void> {
  const { headers: asked } = request.incoming;
  const { digest, size } = blob;
  if (size === undefined) return await sendUnsized(request, blob, outcome);
  const ranges = allowsRange(asked["if-range"]?.toString(), digest)
    ? parseRangeHeader(asked.range, size)
    : "whole";
  if (ranges === "unsatisfiable") return refuseRange(request, size);
  if (ranges === "too many") return refuseRanges(request);
  if (ranges === "whole") {
    const headers = wholeHeaders(request, digest, outcome, size);
    headers.push("Location", ownUrl(request));
    return await send(request, { length: size, reader: () => blob.reader() }, outcome, 200);
  }
  if ("start" in ranges) {
    const length = lengthOf(ranges);
    const headers = withLength(withIdentity(request, digest, outcome), length);
    headers.push("Content-Range", formatContentRange(ranges, size));
    // A range that is the whole blob: its last bytes wait for the verdict like those of the whole (F18).
    const wanted = length === size ? undefined : ranges;
    return await send(request, { length, reader: () => blob.reader(wanted) }, outcome, 206);
  }
  const parts = byteParts(blob, { size, ranges, isCold: outcome !== "hit" });
  withLength(withIdentity(request, digest, outcome), parts.length, parts.contentType);
  await send(request, parts, outcome, 206);
}

/**
 * The whole of a blob whose size nobody knows, sent as it comes in, whatever range was asked for (RFC 9110, 14.2 allows that). Its chunks
 * tell a client whether it has all of it. HTTP/1.0 has no chunks, so there a broken transfer would look like the end (F18).
 */
async function sendUnsized(request: RegistryRequest, blob: ReadableBlob, outcome: Outcome): Promise<void> {
  const { incoming } = request;
  if (incoming.httpVersionMajor === 1 && incoming.httpVersionMinor === 0) {
    const message =
      "The registry does not say how large this blob is, and HTTP/1.0 cannot tell its end: ask with HTTP/1.1.";
    throw new GranaryError("upstream-protocol", message, { target: blob.digest });
  }
  const headers = withIdentity(request, blob.digest, outcome);
  headers.push("Content-Type", OCTET_STREAM, "Location", ownUrl(request));
  await send(request, { length: undefined, reader: () => blob.reader() }, outcome, 200);
}

async function send(
  { outgoing, account, metrics, clock, pool, sending, headers }: RegistryRequest,
  { length, reader }: { readonly length: number | undefined; reader(): BlobReader },
  outcome: Outcome,
  status: number,
): Promise<void> {
  // The client left while the blob was looked up: no body begins, the caller releases the Pin.
  if (outgoing.destroyed) return;
  account.body = sendBody({
    outgoing,
    reader: reader(),
    length,
    begin: () => outgoing.writeHead(status, headers),
    onFirstByte: () =>
      metrics.firstByteSeconds.observe({ outcome }, (clock.elapsed() - account.startedAt) / 1000),
    onSent: (bytes) => account.sent(bytes),
    pool,
    sending,
    clock,
  });
  await account.body;
}

/** Clients that ask for many ranges ask for fewer after a 400, and give up after anything else (docs/protocol.md#ranges). */
function refuseRanges(request: RegistryRequest): void {
  refuse(request, 400, ["UNSUPPORTED", "these are too many ranges for one request; ask for fewer"]);
}

/** With a length of its own: distribution 2.8.2 sends the blob's, and clients see an unexpected end (docs/protocol.md#ranges). */
function refuseRange(request: RegistryRequest, size: number): void {
  const message = `the blob has ${size} bytes; the range lies outside of it`;
  request.account.cause = { code: "range-unsatisfiable" };
  refuse(request, 416, ["UNSUPPORTED", message], ["Content-Range", formatContentRange(undefined, size)]);
}

function wholeHeaders(
  request: RegistryRequest,
  digest: Digest,
  outcome: Outcome,
  size: number | undefined,
): HeaderList {
  const headers = withIdentity(request, digest, outcome);
  if (size !== undefined) return withLength(headers, size);
  headers.push("Content-Type", OCTET_STREAM);
  return headers;
}

function withIdentity({ headers }: RegistryRequest, digest: Digest, outcome: Outcome): HeaderList {
  headers.push("Docker-Content-Digest", digest, "ETag", formatEntityTag(digest));
  headers.push("Accept-Ranges", "bytes", "X-Cache", outcome.toUpperCase());
  return headers;
}

function withLength(headers: HeaderList, length: number, contentType = OCTET_STREAM): HeaderList {
  headers.push("Content-Type", contentType, "Content-Length", String(length));
  return headers;
}
