/**
 * Owns what a failed exchange is called: every error of sockets, TLS, the HTTP parser and undici becomes a
 * GranaryError here. Messages carry the host and path, never a query or a header.
 */
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import { redactUrl } from "../../oci/redact.ts";
import { tlsProblem } from "./tls-problem.ts";

/** What a peer that answers, but not in sound HTTP, looks like. */
const PROTOCOL_CODES = /^(HPE_|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_)/;

/** What undici's parser says, without a code, of what it cannot read; it quotes nothing of the answer. */
const UNREADABLE = /^Response does not match the HTTP\/1\.1 protocol(?: \(([\w ,.'/-]{1,100})\))?$/;

const SENTENCES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was reset",
  ENOTFOUND: "the name does not resolve",
  EAI_AGAIN: "the name server does not answer",
  EHOSTUNREACH: "there is no route to the host",
  ENETUNREACH: "there is no route to the network",
  UND_ERR_CONNECT_TIMEOUT: "the connection could not be made in time",
  UND_ERR_HEADERS_TIMEOUT: "no headers came in time",
  UND_ERR_BODY_TIMEOUT: "the body stalled",
  UND_ERR_SOCKET: "the connection was closed",
  UND_ERR_HEADERS_OVERFLOW:
    "its headers are longer than 1 MiB, which is its fault or that of a proxy before it",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH:
    "its Content-Length is not that of its body, which is its fault or that of a proxy before it",
};

/** Not even a connection was made. */
const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/**
 * The sentence begins with what was done: "GET https://host/v2/x/manifests/y". `proxy` is what the connection was made through,
 * where that may have failed.
 */
export function transportError(
  error: unknown,
  method: string,
  url: URL,
  signal: AbortSignal,
  proxy?: string,
): GranaryError {
  const own = [error, causeOf(error)].find((each) => isGranaryError(each));
  if (isGranaryError(own)) return own;
  const doing = `${method} ${redactUrl(url)}`;
  if (signal.aborted) {
    return new GranaryError("aborted", `${doing} was given up.`, {
      cause: error,
      target: doing,
      reason: `the request to ${url.host} was given up`,
    });
  }
  const code = codeOf(error);
  if (code === "UND_ERR_DESTROYED" || code === "UND_ERR_CLOSED") {
    return new GranaryError("closed", `${doing} was not sent: the client is closed.`, {
      target: doing,
      reason: "Granary is shutting down",
    });
  }
  const unreadable = unreadableProblem(error);
  const isProtocol = PROTOCOL_CODES.test(code) || unreadable !== undefined;
  const remedy = tlsProblem(code, url) ?? (proxy === undefined ? undefined : proxyProblem(messageOf(error)));
  const words = remedy ?? unreadable ?? SENTENCES[code];
  const told = words ?? (code === "" ? messageOf(error) : `${messageOf(error)} (${code})`);
  // What a library says of an error may quote the request; its code cannot.
  const reason = `${url.host}: ${words ?? (code === "" ? "the exchange failed" : code)}`;
  const through = proxy === undefined ? "" : ` through the proxy ${proxy}`;
  return new GranaryError(
    isProtocol ? "upstream-protocol" : "upstream-unavailable",
    `${doing} failed${through}: ${told}.`,
    {
      cause: error,
      target: doing,
      reason,
      ...(UNREACHABLE.has(code) && { isUnreachable: true }),
      ...(remedy !== undefined && { saysWhatToDo: true }),
    },
  );
}

/** Names whose fault it is: nobody can mend it here. */
function unreadableProblem(error: unknown): string | undefined {
  const found = [error, causeOf(error)].map((each) =>
    UNREADABLE.exec(each instanceof Error ? each.message : ""),
  );
  const [match] = found.filter((each) => each !== null);
  if (match === undefined) return undefined;
  const what = match[1] === undefined ? "" : ` (${match[1]})`;
  return `it does not send sound HTTP${what}, which is its fault or that of a proxy before it`;
}

/** undici tells it in words only. */
function proxyProblem(message: string): string | undefined {
  const status = /\((407)\)|^Proxy response \((\d+)\)/.exec(message);
  if (status === null) return undefined;
  if ((status[1] ?? status[2]) === "407") {
    return "it wants a login (407); write it into that variable, as in http://NAME:PASSWORD@proxy.example:3128";
  }
  return `it answered ${status[2]} to CONNECT; allow this host there, or name it in NO_PROXY`;
}

function codeOf(error: unknown): string {
  // Several addresses were tried: each failed, and the first failure speaks for all.
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  if (typeof error !== "object" || error === null) return "";
  const inner = codeOf(causeOf(error));
  if ("code" in error && typeof error.code === "string" && error.code !== "UND_ERR_SOCKET") return error.code;
  return inner === "" && "code" in error && typeof error.code === "string" ? error.code : inner;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
