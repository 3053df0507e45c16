/**
 * Owns the one mapping from an error to a status, an OCI error code and headers (docs/protocol.md#what-each-status-does). Pure: it neither
 * logs nor sends. A client never hears 401 here: it would offer us its login at the upstream (docs/protocol.md#docker-logins).
 */
import { type ErrorCode, GranaryError } from "../../errors.ts";
import { formatErrorBodies, formatErrorBody, joinWords, type OciErrorCode } from "../../oci/error-body.ts";
import { withoutUserInfo } from "../../oci/redact.ts";
import type { RouteKind } from "../request-log.ts";

type ErrorAnswer = {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** What the body says, for the status line; "" where only the body may say it. */
  readonly sentence: string;
  readonly retryAfterSeconds: number | undefined;
};

export type ErrorContext = {
  readonly kind: RouteKind;
  /** Policy of the upstream that was asked. */
  readonly rateLimitedStatus: 429 | 503 | 404;
};

/** Retry-After where the upstream named no time. */
const RETRY_SECONDS = 5;

const JSON_TYPE = "application/json";

/** Codes for an upstream's 4xx for which the specification has none. */
const REFUSALS: Readonly<Record<number, OciErrorCode>> = {
  402: "DENIED",
  413: "SIZE_INVALID",
  451: "DENIED",
};

/** An error that is no GranaryError becomes a 500 without details. */
export function errorAnswer(error: unknown, context: ErrorContext): ErrorAnswer {
  if (!(error instanceof GranaryError)) return answer(500, "UNKNOWN", "internal error");
  const { code, message, facts } = error;
  if (code === "client-outdated" && facts.upstreamText !== undefined) return outdated(facts.upstreamText);
  const [status, ociCode] = statusOf(error, context);
  const mayRetry = status === 429 || status >= 502;
  const retryAfterSeconds = mayRetry ? secondsOf(facts.retryAfterMs) : undefined;
  // A refusal is passed on in the registry's own words. In a failure they only say why.
  if (facts.told !== undefined && status < 500 && status !== 404) {
    const body = formatErrorBodies(facts.told.map((one) => ({ ...one, code: one.code ?? ociCode })));
    return { status, contentType: JSON_TYPE, body, sentence: joinWords(facts.told) ?? "", retryAfterSeconds };
  }
  const words = joinWords(facts.told);
  const sentence = told(message, facts.reason);
  const why = words === undefined ? sentence : `${sentence.replace(/\.$/, "")}: ${words}.`;
  return answer(status, ociCode, why, retryAfterSeconds);
}

function statusOf({ code, facts }: GranaryError, context: ErrorContext): readonly [number, OciErrorCode] {
  if (code === "rate-limited") return limited(context);
  const status = facts.upstreamStatus;
  if (code !== "upstream-refused" || status === undefined) return meaningOf(code, context.kind);
  return [status, status === 410 ? unknownCode(context.kind) : (REFUSALS[status] ?? "UNSUPPORTED")];
}

/**
 * The sentence for the client, without the URL that was asked at the upstream: that may belong to another client's request, and it shows
 * how this mirror reaches the registry. The log has the whole sentence.
 */
function told(message: string, reason: string | undefined): string {
  return withoutUserInfo(reason === undefined ? message : `${reason}.`);
}

function answer(
  status: number,
  code: OciErrorCode,
  message: string,
  retryAfterSeconds?: number,
): ErrorAnswer {
  const body = formatErrorBody(code, message);
  return { status, contentType: JSON_TYPE, body, sentence: message, retryAfterSeconds };
}

/** The registry's own words for the person who pulls: the Ollama client prints the body as it is (docs/protocol.md#ollama-user-agent). */
function outdated(text: string): ErrorAnswer {
  const contentType = text.trimStart().startsWith("{") ? JSON_TYPE : "text/plain; charset=utf-8";
  return { status: 412, contentType, body: text, sentence: "", retryAfterSeconds: undefined };
}

function limited({ kind, rateLimitedStatus }: ErrorContext): readonly [number, OciErrorCode] {
  // For referrers a 404 would mean that there are no signatures.
  if (rateLimitedStatus === 404)
    return kind === "referrers" ? [429, "TOOMANYREQUESTS"] : [404, unknownCode(kind)];
  return [rateLimitedStatus, rateLimitedStatus === 429 ? "TOOMANYREQUESTS" : "UNAVAILABLE"];
}

function meaningOf(code: ErrorCode, kind: RouteKind): readonly [number, OciErrorCode] {
  switch (code) {
    case "not-found":
      return [404, unknownCode(kind)];
    case "route-unknown":
      return [404, "NAME_UNKNOWN"];
    case "reference-invalid":
      return [400, "NAME_INVALID"];
    case "digest-invalid":
      return [400, "DIGEST_INVALID"];
    case "denied":
      return [403, "DENIED"];
    case "client-outdated":
      return [412, "UNSUPPORTED"];
    case "conflict":
      return [409, "UNSUPPORTED"];
    case "range-unsatisfiable":
      return [416, "UNSUPPORTED"];
    case "unauthorized": // Our login failed upstream: nothing that the client's own could mend.
    case "digest-mismatch":
    case "size-mismatch":
    case "manifest-invalid":
    case "upstream-protocol":
    case "upstream-refused":
      return [502, "UNAVAILABLE"];
    case "upstream-unavailable":
      // The referrers are not known at the moment. A client that verifies signatures must not read this as "none" or as "no such API".
      return [kind === "referrers" ? 503 : 502, "UNAVAILABLE"];
    case "store-full":
    case "fleet-unavailable":
    case "aborted":
    case "closed":
    case "rate-limited":
      return [503, "UNAVAILABLE"];
    case "store-damaged":
    case "config-invalid":
    case "path-invalid":
      return [500, "UNKNOWN"];
  }
}

/** podman goes on without a signature only when its absence is MANIFEST_UNKNOWN (docs/protocol.md#podman-and-skopeo). */
function unknownCode(kind: RouteKind): OciErrorCode {
  if (kind === "manifest") return "MANIFEST_UNKNOWN";
  if (kind === "blob") return "BLOB_UNKNOWN";
  return kind === "other" ? "UNSUPPORTED" : "NAME_UNKNOWN";
}

function secondsOf(retryAfterMs: number | undefined): number {
  return retryAfterMs === undefined ? RETRY_SECONDS : Math.max(1, Math.ceil(retryAfterMs / 1000));
}
