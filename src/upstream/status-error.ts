/**
 * Owns what a status of an upstream means when it is not the one hoped for: the one place where a status becomes an
 * error code. It reads no body but the short text of a 412.
 */
import type { ErrorCode, GranaryError } from "../errors.ts";
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

/** Worth another try (registry-clients.md E): timeouts of front ends and everything that a server blames on itself. */
const PASSING = new Set([408, 425, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524]);

/** A refusal is about who asked: the sentence that says so belongs to it. */
type Answered = Incoming & { readonly says?: string | undefined };

/** `text` is shown to the person who pulls; only 412 has one (ollama.md, checklist 5). */
export function statusError(incoming: Answered, now: number, text?: string): GranaryError {
  const { status, headers, url, says } = incoming;
  const asWhom = says !== undefined && (status === 401 || status === 403) ? ` ${says}` : "";
  const retryAfterMs = parseRetryAfter(headers["retry-after"], now, headers.date);
  return answerError(codeOf(status), url, `answered ${status}`, {
    more: asWhom,
    upstreamStatus: status,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(text !== undefined && { upstreamText: text }),
  });
}

/** A 401 although a new token was shown: what was asked for is absent or private, and the registry does not say which (C.5). */
export function hiddenError({ status, url, says }: Answered): GranaryError {
  const more = says === undefined ? "" : ` ${says}`;
  return answerError("not-found", url, `answered ${status}: absent, or private`, {
    more,
    upstreamStatus: status,
  });
}

function codeOf(status: number): ErrorCode {
  return CODES[status] ?? (PASSING.has(status) ? "upstream-unavailable" : "upstream-protocol");
}
