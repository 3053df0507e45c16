/**
 * Owns what a status of an upstream means when it is not the one hoped for: the one place where a status becomes an
 * error code. It reads no body: refusal.ts does.
 */
import type { ErrorCode, GranaryError } from "../../errors.ts";
import type { ToldError } from "../../oci/error-body.ts";
import { answerError } from "./answer-error.ts";
import { parseRetryAfter } from "./retry-after.ts";
import type { Incoming } from "./transport.ts";

const CODES: Readonly<Record<number, ErrorCode>> = {
  401: "unauthorized",
  403: "denied",
  404: "not-found",
  412: "client-outdated",
  416: "range-unsatisfiable",
  429: "rate-limited",
};

/** Worth another try (docs/protocol.md#retries): timeouts of front ends and everything that a server blames on itself. */
const PASSING = new Set([408, 425, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524]);

/** What 4xx say of our way to the registry, or of the moment, is no word on what was asked for; a 407 would even make a client log in. */
const OURS = new Set([407, 417, 421, 426]);

/** A refusal is about who asked: the sentence that says so belongs to it. */
export type Answered = Incoming & { readonly says?: string | undefined };

export type Words = {
  /** In the answer's own words. */
  readonly told?: readonly ToldError[];
  /** Shown to the person who pulls, as it is; only 412 has one (docs/protocol.md#ollama-user-agent). */
  readonly text?: string;
};

export function statusError(incoming: Answered, now: number, { told = [], text }: Words = {}): GranaryError {
  const { status, headers, url, says } = incoming;
  const asWhom = says !== undefined && (status === 401 || status === 403) ? ` ${says}` : "";
  const retryAfterMs = parseRetryAfter(headers["retry-after"], now, headers.date);
  return answerError(codeOf(status), url, `answered ${status}`, {
    more: asWhom,
    upstreamStatus: status,
    told,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(text !== undefined && { upstreamText: text }),
  });
}

/**
 * A 401 although a new token was shown: what was asked for is absent or private, and the registry does not say which
 * (docs/protocol.md#docker-hub-absent-repositories).
 */
export function hiddenError({ status, url, says }: Answered, told: readonly ToldError[] = []): GranaryError {
  const more = says === undefined ? "" : ` ${says}`;
  return answerError("not-found", url, `answered ${status}: absent, or private`, {
    more,
    upstreamStatus: status,
    told,
  });
}

function codeOf(status: number): ErrorCode {
  const code = CODES[status];
  if (code !== undefined) return code;
  if (PASSING.has(status)) return "upstream-unavailable";
  return status >= 400 && status < 500 && !OURS.has(status) ? "upstream-refused" : "upstream-protocol";
}
