/**
 * Owns answers that are in memory: status, headers and bytes straight to the Node response, without web streams or a
 * Response object. Content-Length is always known, nothing is ever encoded (docs/protocol.md#length-and-encoding). Blob bodies go through
 * send-body.ts.
 */
import type { ServerResponse } from "node:http";
import { formatErrorBody, type OciErrorCode } from "../../oci/error-body.ts";
import type { Account } from "../request-log.ts";

/** Where an answer goes, and the Account of its request. A connection that is one too many is refused without an Account. */
export type Recipient = { readonly outgoing: ServerResponse; readonly account?: Account };

/** Names and values in turn, the form that Node takes without another copy. The functions here add to the list that they are given. */
export type HeaderList = string[];

export const API_VERSION: readonly string[] = ["Docker-Distribution-Api-Version", "registry/2.0"];

/**
 * Up to here bytes go out as a text of the same bytes: Node joins that with the headers into one write, where a buffer costs
 * a `writev` of two, which is a quarter of a small answer's time.
 */
const ONE_WRITE_BYTES = 16 * 1024;

/** Sends `body` (Node leaves it out for HEAD) with its length. Does nothing when the client is gone. */
export function respond(
  { outgoing, account }: Recipient,
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
  if (outgoing.req.method !== "HEAD") account?.sent(length);
}

/** An answer that has no body at all, such as 304. */
export function respondEmpty({ outgoing }: Recipient, status: number, headers: HeaderList): void {
  if (outgoing.destroyed || outgoing.headersSent) return;
  outgoing.writeHead(status, headers);
  outgoing.end();
}

export function respondJson(
  recipient: Recipient,
  status: number,
  body: string,
  headers: readonly string[] = [],
  contentType = "application/json",
): void {
  respond(recipient, status, [...API_VERSION, "Content-Type", contentType, ...headers], body);
}

/** Refuses a request that is at fault or not allowed, with an error in the registry's form. */
export function refuse(
  recipient: Recipient,
  status: number,
  [code, message]: readonly [OciErrorCode, string],
  headers: readonly string[] = [],
): void {
  if (recipient.account !== undefined) {
    recipient.account.outcome = "refused";
    recipient.account.reason = message;
  }
  respondJson(recipient, status, formatErrorBody(code, message), headers);
}

/** Some clients and proxies fail at headers of several KiB. */
const MOST_WARNING = 500;

/**
 * The value of a Warning header: 299 is "miscellaneous persistent warning" (RFC 7234, 5.5); clients print the text
 * (docs/protocol.md#warnings). Always a complete quoted string of printable ASCII: an escape that is cut in two would open the quotes again.
 */
export function formatWarning(text: string): string {
  const plain = text.slice(0, MOST_WARNING).replace(/[^\x20-\x7e]/g, " ");
  const shown = text.length > MOST_WARNING ? `${plain.slice(0, -3)}...` : plain;
  return `299 - "${shown.replace(/["\\]/g, "\\$&")}"`;
}
