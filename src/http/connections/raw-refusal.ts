/**
 * Owns refusals on connections that Node's server has let go of: what its parser could not read, and tunnels. They are answers like all
 * others, in the registry's form, and the connection ends with them.
 */
import { STATUS_CODES } from "node:http";
import { formatErrorBody, type OciErrorCode } from "../../oci/error-body.ts";
import { formatReasonPhrase } from "../answers/respond.ts";

/** Which status and sentence, by the code of Node's error (nodejs.org, http, "Event: 'clientError'"). */
const UNREADABLE: Readonly<Record<string, readonly [status: number, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, "the headers of the request are too large"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "the body of the request has too many chunk extensions"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request took too long to come"],
};

/** A whole answer, head and body, for what Node's parser refused. */
export function unreadableRequest(error: Error): string {
  const code = "code" in error ? String(error.code) : "";
  const [status, message] = UNREADABLE[code] ?? [400, "this is not a request that HTTP allows"];
  return refusalText(status, message);
}

/** A whole answer to CONNECT. This proxy reads what it forwards; a tunnel to somewhere would be an open relay. */
export function tunnelRefusal(): string {
  const message = "CONNECT is not supported; use http_proxy with plain http names";
  return refusalText(405, message, ["Allow: GET, HEAD"]);
}

/** A whole answer to CONNECT by the proxy. Go's clients show nothing of it but the status line, so the sentence stands there too. */
export function proxyRefusal(status: number, code: OciErrorCode, message: string): string {
  return refusalText(status, message, [], code, formatReasonPhrase(status, message));
}

function refusalText(
  status: number,
  message: string,
  headers: readonly string[] = [],
  code: OciErrorCode = "UNSUPPORTED",
  phrase = STATUS_CODES[status],
): string {
  const body = formatErrorBody(code, message);
  const head = [
    `HTTP/1.1 ${status} ${phrase}`,
    ...headers,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}
