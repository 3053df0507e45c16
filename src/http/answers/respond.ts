/**
 * Owns answers that are in memory: status, headers and bytes straight to the Node response, without web streams or a
 * Response object. Content-Length is always known, nothing is ever encoded (docs/protocol.md#length-and-encoding). Blob bodies are send-body.ts's.
 */
import type { ServerResponse } from "node:http";

/** Names and values in turn, the form that Node takes without another copy. Whoever sends it owns it. */
export type HeaderList = string[];

export const API_VERSION: readonly string[] = ["Docker-Distribution-Api-Version", "registry/2.0"];

/**
 * Up to here bytes go out as a text of the same bytes: Node joins that with the headers into one write, where a buffer costs
 * a `writev` of two, which is a quarter of a small answer's time.
 */
const ONE_WRITE_BYTES = 16 * 1024;

/** Sends `body` (Node leaves it out for HEAD) with its length. Does nothing when the client is gone. */
export function respond(
  outgoing: ServerResponse,
  status: number,
  headers: HeaderList,
  body: string | Uint8Array,
): void {
  if (outgoing.destroyed || outgoing.headersSent) return;
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
  headers.push("Content-Length", String(length));
  outgoing.writeHead(status, headers);
  if (typeof body === "string" || length > ONE_WRITE_BYTES) outgoing.end(body);
  else outgoing.end(Buffer.from(body.buffer, body.byteOffset, length).toString("latin1"), "latin1");
}

/** An answer that has no body at all, such as 304. */
export function respondEmpty(outgoing: ServerResponse, status: number, headers: HeaderList): void {
  if (outgoing.destroyed || outgoing.headersSent) return;
  outgoing.writeHead(status, headers);
  outgoing.end();
}

export function respondJson(
  outgoing: ServerResponse,
  status: number,
  body: string,
  headers: HeaderList = [],
  contentType = "application/json",
): void {
  respond(outgoing, status, [...API_VERSION, "Content-Type", contentType, ...headers], body);
}
