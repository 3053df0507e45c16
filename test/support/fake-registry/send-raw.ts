/**
 * Owns answers whose head no HTTP library would write: the bytes go to the socket as a test wrote them. The body is the true one.
 */
import type { ServerResponse } from "node:http";
import type { RequestRecord } from "./account.ts";
import type { ChunkWriter, Fault } from "./faults.ts";
import type { Reply } from "./send-reply.ts";

const PIECE = 64 * 1024;

const chunked: ChunkWriter = (bytes) =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);

/** Resolves when the answer is written or the connection is gone; the connection ends with it. */
export async function sendRaw(
  response: ServerResponse,
  record: RequestRecord,
  { status, headers, body }: Reply,
  { head, framing }: Extract<Fault, { kind: "raw" }>,
): Promise<void> {
  const { socket } = response;
  if (socket === null) return;
  const frame = framing === "chunked" ? chunked : framing;
  const lines = [`HTTP/1.1 ${status} As Told`, ...Object.entries(headers).map((entry) => entry.join(": "))];
  socket.write(head(`${lines.join("\r\n")}\r\n\r\n`));
  if (record.method !== "HEAD" && body !== undefined) {
    for (let at = body.start; at < body.end && !socket.destroyed; at += PIECE) {
      const bytes = Buffer.alloc(Math.min(PIECE, body.end - at));
      body.content.fill(at, bytes);
      await new Promise((resolve) => socket.write(frame?.(bytes) ?? bytes, resolve));
      record.bytesSent += bytes.length;
    }
    if (frame !== undefined) socket.write(frame(Buffer.alloc(0)));
  }
  socket.end();
}
