/**
 * Owns the errors of exchanges that failed without an answer: everything that sockets, TLS, the HTTP parser and undici throw becomes a
 * GranaryError here, with what to do about it where we know that. Messages carry the host and path, never a query or a header.
 */
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import { redactUrl } from "../../oci/redact.ts";
import { wasTurnedAway } from "./turned-away.ts";

/** The other side answered, but not in correct HTTP. */
const PROTOCOL_CODES = /^(HPE_|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_)/;

/** The message of undici's parser, which has no code. It quotes nothing of the answer. */
const UNREADABLE = /^Response does not match the HTTP\/1\.1 protocol(?: \(([\w ,.'/-]{1,100})\))?$/;

const SENTENCES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was reset",
  ENOTFOUND: "the name does not resolve",
  EAI_AGAIN: "the name server does not answer",
  ESERVFAIL: "the name server cannot find out where the name leads",
  EREFUSED: "the name server refuses to look up the name",
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

/** No connection was made. */
const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ESERVFAIL",
  "EREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
  "UND_ERR_CONNECT_TIMEOUT",
]);

const UNKNOWN_AUTHORITY = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_UNTRUSTED",
  "INVALID_CA",
]);

/** Node and OpenSSL report these when the other side does not speak TLS. */
const NOT_TLS = /^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|HTTPS_PROXY_REQUEST)$/;

const WANTS_CLIENT =
  /^ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED$|^ERR_SSL_(?:SSLV3|TLSV1)_ALERT_(?:BAD_CERTIFICATE|HANDSHAKE_FAILURE|UNKNOWN_CA|CERTIFICATE_UNKNOWN)$/;

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
  // The message of a library may quote the request, which is not for everybody; its code cannot.
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
      ...([error, causeOf(error)].some(wasTurnedAway) && { isTurnedAway: true }),
      ...(remedy !== undefined && { saysWhatToDo: true }),
    },
  );
}

/** Says whose fault it is, because nobody can repair it here. */
function unreadableProblem(error: unknown): string | undefined {
  const found = [error, causeOf(error)].map((each) =>
    UNREADABLE.exec(each instanceof Error ? each.message : ""),
  );
  const [match] = found.filter((each) => each !== null);
  if (match === undefined) return undefined;
  const what = match[1] === undefined ? "" : ` (${match[1]})`;
  return `it does not send sound HTTP${what}, which is its fault or that of a proxy before it`;
}

/** undici has no code for this, only a message. */
function proxyProblem(message: string): string | undefined {
  const status = /\((407)\)|^Proxy response \((\d+)\)/.exec(message);
  if (status === null) return undefined;
  if ((status[1] ?? status[2]) === "407") {
    return "it wants a login (407); write it into that variable, as in http://NAME:PASSWORD@proxy.example:3128";
  }
  return `it answered ${status[2]} to CONNECT; allow this host there, or name it in NO_PROXY`;
}

/** A clause for "GET https://host/... failed: "; undefined when `code` is about something else. */
export function tlsProblem(code: string, { host, hostname }: URL): string | undefined {
  if (UNKNOWN_AUTHORITY.has(code)) {
    return `the certificate of ${host} is signed by an authority that is not known here (${code}); if it is your own, name its PEM file: caFile in the configuration, --ca-file on the command line, or add it to the system's certificates; if it is a Granary's, the local DNS leads this name there: name DNS servers of the outside in \`resolver\``;
  }
  if (code === "CERT_HAS_EXPIRED") {
    return `the certificate of ${host} has expired; renew it there, and check this machine's date`;
  }
  if (code === "CERT_NOT_YET_VALID") {
    return `the certificate of ${host} is not valid yet; check this machine's date`;
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return `the certificate that came is not for ${hostname}; use a name that stands in it, or have it made for this one`;
  }
  if (NOT_TLS.test(code)) {
    return `${host} does not speak TLS; if it is meant to, check the port, else use http:// (--insecure on the command line, http:// in endpoints with internal: true)`;
  }
  if (WANTS_CLIENT.test(code)) {
    return `${host} refused the connection for want of a client certificate that it accepts (${code}); name one by clientCertFile and clientKeyFile`;
  }
  return undefined;
}

function codeOf(error: unknown): string {
  // Several addresses were tried and all failed: the first failure is shown.
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  if (typeof error !== "object" || error === null) return "";
  const inner = codeOf(causeOf(error));
  if ("code" in error && typeof error.code === "string" && error.code !== "UND_ERR_SOCKET") return error.code;
  return inner === "" && "code" in error && typeof error.code === "string" ? error.code : inner;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
