/**
 * Owns what happens to bodies that clients send along: nothing reads them, but they are taken off the connection so that it
 * stays usable (docs/protocol.md#writes, docs/protocol.md#request-bodies), up to a cap.
 */
import type { IncomingMessage } from "node:http";

const CAP_BYTES = 16 * 2 ** 20;

/** True when the body was taken in whole; false when it is larger than the cap and the connection must close. */
export async function drainBody(incoming: IncomingMessage): Promise<boolean> {
  let taken = 0;
  return await new Promise<boolean>((resolve) => {
    incoming.on("data", (chunk: Buffer) => {
      taken += chunk.byteLength;
      if (taken <= CAP_BYTES) return;
      incoming.pause();
      resolve(false);
    });
    incoming.once("end", () => resolve(true));
    incoming.once("close", () => resolve(false));
    incoming.once("error", () => resolve(false));
  });
}

/** Most requests have no body; this check is cheaper than an `await`. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}
