/**
 * Owns the error that an answer is when it is not the one that was hoped for: its code (the one place where a status becomes one) and its
 * sentence, once with the path for whoever asked, and once without it for everybody else whom the failure concerns. Both are made from one
 * text, so that they cannot differ. It reads no body: refusal.ts does.
 */
import { type ErrorCode, type ErrorFacts, GranaryError } from "../../errors.ts";
import { joinWords, type ToldError } from "../../oci/error-body.ts";
import { redactUrl } from "../../oci/redact.ts";
import { parseRetryAfter } from "./headers.ts";
import type { Incoming } from "./transport.ts";
import { LOOP_REMEDY } from "./via.ts";

const CODES: Readonly<Record<number, ErrorCode>> = {
  401: "unauthorized",
  403: "denied",
  404: "not-found",
  412: "client-outdated",
  416: "range-unsatisfiable",
  429: "rate-limited",
};

/** Worth another try (docs/protocol.md#retries): timeouts of front ends, and failures of the server itself. */
const PASSING = new Set([408, 425, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524]);

/** These 4xx are about the connection or a proxy and not about what was asked for. A client that heard 407 would even try to log in. */
const OF_CONNECTION = new Set([407, 417, 421, 426]);

/** Loop Detected: a request came back to the Granary that had sent it, or went round somewhere else. */
const LOOP = 508;

/** An answer, and the sentence that says as whom we asked: a refusal may depend on that. */
export type Answered = Incoming & { readonly says?: string | undefined };

type Words = {
  /** What the body says. */
  readonly told?: readonly ToldError[];
  /** Shown to the person who pulls, as it is; only 412 has one (docs/protocol.md#ollama-user-agent). */
  readonly text?: string;
};

/**
 * The error of an answer from `url`. `what` follows the name of the host: "answered 502". It has no full stop, and must not name what was
 * asked for, because it is also shown to others. `told` (the registry's own words) is shown only to whoever asked.
 */
export function answerError(
  code: ErrorCode,
  url: URL,
  what: string,
  { more = "", ...facts }: ErrorFacts & { readonly more?: string } = {},
): GranaryError {
  const { told = [], ...others } = facts;
  const words = joinWords(told);
  return new GranaryError(
    code,
    `${redactUrl(url)} ${what}${words === undefined ? "" : `: ${words}`}.${more}`,
    {
      ...others,
      ...(told.length > 0 && { told }),
      reason: `${url.host} ${what}`,
      host: url.host,
    },
  );
}

/** The error for the status of `incoming`. `now` in epoch ms. */
export function statusError(incoming: Answered, now: number, { told = [], text }: Words = {}): GranaryError {
  const { status, headers, url, says } = incoming;
  const asWhom = says !== undefined && (status === 401 || status === 403) ? ` ${says}` : "";
  const retryAfterMs = parseRetryAfter(headers["retry-after"], now, headers.date);
  if (status === LOOP) return loopError(url);
  return answerError(codeOf(status), url, `answered ${status}`, {
    more: asWhom,
    upstreamStatus: status,
    told,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(text !== undefined && { upstreamText: text }),
  });
}

/**
 * The error for a 401 to a request with a new token: what was asked for is absent or private, and the registry does not say which
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

/** No later try mends it; a person does. */
function loopError(url: URL): GranaryError {
  const what = `answered ${LOOP}: ${url.hostname} ${LOOP_REMEDY}`;
  return answerError("upstream-unavailable", url, what, { upstreamStatus: LOOP, saysWhatToDo: true });
}

function codeOf(status: number): ErrorCode {
  const code = CODES[status];
  if (code !== undefined) return code;
  if (PASSING.has(status)) return "upstream-unavailable";
  return status >= 400 && status < 500 && !OF_CONNECTION.has(status)
    ? "upstream-refused"
    : "upstream-protocol";
}
