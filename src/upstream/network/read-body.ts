/**
 * Owns the reading of small bodies with a limit, and the getting rid of bodies that nobody wants. Blob bodies never
 * come here.
 */
import { type GranaryError, isGranaryError } from "../../errors.ts";
import { answerError } from "./answer-error.ts";
import type { Incoming } from "./transport.ts";
import { transportError } from "./transport-error.ts";

/** Redirect and error bodies up to this are read to their end, so that the connection can be used again. */
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

/** Bytes that are not as the digest names them can be neither verified nor stored (docs/protocol.md#length-and-encoding). */
export function refuseEncoded({ url, headers, body }: Incoming): void {
  const encoding = headers["content-encoding"];
  if (encoding === undefined || encoding === "" || encoding === "identity") return;
  body.on("error", ignore).destroy();
  const what = `answered with Content-Encoding ${encoding}, though identity was asked for`;
  throw answerError("upstream-protocol", url, what, { expected: "identity", found: encoding });
}

/** Lets go of a body: short ones are drained for the connection's sake, others end their connection. */
export function discardBody({ headers, body }: Pick<Incoming, "headers" | "body">): void {
  body.on("error", ignore);
  if (Number(headers["content-length"] ?? Number.POSITIVE_INFINITY) <= WORTH_DRAINING) body.resume();
  else body.destroy();
}

export function tooLong({ url, body }: Incoming, limit: number): GranaryError {
  body.on("error", ignore).destroy();
  return answerError("upstream-protocol", url, `answered with more than ${limit} bytes`, { expected: limit });
}

/** The body is given up: how its connection ends is nobody's business any more. */
function ignore(): void {}
