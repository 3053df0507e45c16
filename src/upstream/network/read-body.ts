/**
 * Owns the reading of small bodies with a limit, and the disposal of bodies that nobody wants. Blob bodies are not read here.
 */
import { type GranaryError, isGranaryError } from "../../errors.ts";
import { answerError } from "./answer-error.ts";
import type { Incoming } from "./transport.ts";
import { transportError } from "./transport-error.ts";

/** Unwanted bodies up to this size, bytes, are read to their end, so that the connection can be used again. */
const WORTH_DRAINING = 16 * 1024;

/**
 * The whole body. Throws `upstream-protocol` when it is longer than `limit` bytes or encoded, `upstream-unavailable` when the
 * connection breaks or the body is shorter than announced.
 */
export async function readLimited(incoming: Incoming, limit: number, signal: AbortSignal): Promise<Buffer> {
  refuseEncoded(incoming);
  const { url, headers, body } = incoming;
  if (Number(headers["content-length"]) > limit) throw tooLong(incoming, limit);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > limit) throw tooLong(incoming, limit);
      chunks.push(chunk);
    }
  } catch (error) {
    throw isGranaryError(error) ? error : transportError(error, "GET", url, signal);
  }
  return Buffer.concat(chunks);
}

/** Throws `upstream-protocol` for a compressed body: its bytes are not those of the digest, so they can be neither verified nor stored (docs/protocol.md#length-and-encoding). */
export function refuseEncoded({ url, headers, body }: Incoming): void {
  const encoding = headers["content-encoding"];
  if (encoding === undefined || encoding === "" || encoding === "identity") return;
  body.on("error", ignore).destroy();
  const what = `answered with Content-Encoding ${encoding}, though identity was asked for`;
  throw answerError("upstream-protocol", url, what, { expected: "identity", found: encoding });
}

/** Disposes of a body that is not wanted. A short one is read to its end to keep the connection; a long one is cut, with its connection. */
export function discardBody({ headers, body }: Pick<Incoming, "headers" | "body">): void {
  body.on("error", ignore);
  if (Number(headers["content-length"] ?? Number.POSITIVE_INFINITY) <= WORTH_DRAINING) body.resume();
  else body.destroy();
}

/** Ends the body, and makes the error for one of more than `limit` bytes. */
export function tooLong({ url, body }: Incoming, limit: number): GranaryError {
  body.on("error", ignore).destroy();
  return answerError("upstream-protocol", url, `answered with more than ${limit} bytes`, { expected: limit });
}

/** For the errors of a body that was disposed of. */
function ignore(): void {}
