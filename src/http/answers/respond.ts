/**
 * Owns answers that are in memory: status, headers and bytes straight to the Node response, without web streams or a
 * Response object. Content-Length is always known, nothing is ever encoded (docs/protocol.md#length-and-encoding). Blob bodies go through
 * send-body.ts.
 */
import { type ServerResponse, STATUS_CODES } from "node:http";
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
export const ONE_WRITE_BYTES = 16 * 1024;

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

function respondJson(
  recipient: Recipient,
  status: number,
  body: string,
  headers: readonly string[] = [],
  contentType = "application/json",
): void {
  respond(recipient, status, [...API_VERSION, "Content-Type", contentType, ...headers], body);
}

/**
 * An error. `sentence` also stands in the status line, behind the usual phrase: Docker, containerd and Podman show nothing but that line of a
 * 5xx, and of any answer to a HEAD (docs/protocol.md#what-each-status-does).
 */
export function respondError(
  recipient: Recipient,
  { status, body, contentType, sentence }: ErrorText,
  headers: readonly string[],
): void {
  if (sentence !== "") recipient.outgoing.statusMessage = formatReasonPhrase(status, sentence);
  respondJson(recipient, status, body, headers, contentType);
}

type ErrorText = {
  readonly status: number;
  readonly body: string;
  readonly contentType: string;
  readonly sentence: string;
};

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
  const body = formatErrorBody(code, message);
  respondError(recipient, { status, body, contentType: "application/json", sentence: message }, headers);
}

/** Some clients and proxies fail at lines of several KiB. */
const MOST_SHOWN = 500;

/** "Bad Gateway: docker.io is set offline". RFC 9112, 4: a reason phrase is free text that no client may draw conclusions from. */
export function formatReasonPhrase(status: number, sentence: string): string {
  return `${STATUS_CODES[status] ?? "Error"}: ${printableLine(sentence)}`;
}

/**
 * The value of a Warning header: 299 is "miscellaneous persistent warning" (RFC 7234, 5.5); clients print the text
 * (docs/protocol.md#warnings). Always a complete quoted string of printable ASCII: an escape that is cut in two would open the quotes again.
 */
export function formatWarning(text: string): string {
  return `299 - "${printableLine(text).replace(/["\\]/g, "\\$&")}"`;
}

function printableLine(text: string): string {
  const plain = text.slice(0, MOST_SHOWN).replace(/[^\x20-\x7e]/g, " ");
  return text.length > MOST_SHOWN ? `${plain.slice(0, -3)}...` : plain;
}
