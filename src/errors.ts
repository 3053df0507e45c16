/**
 * Owns the one error class and its closed set of codes. Every failure that crosses a layer is a GranaryError;
 * nothing here knows HTTP or exit codes (http/error-answer.ts and cli/exit-code.ts each map the codes once).
 */

export type ErrorCode =
  | "reference-invalid"
  | "digest-invalid"
  | "config-invalid"
  | "path-invalid"
  | "route-unknown"
  | "not-found"
  | "unauthorized"
  | "denied"
  | "client-outdated"
  | "rate-limited"
  | "range-unsatisfiable"
  | "digest-mismatch"
  | "size-mismatch"
  | "manifest-invalid"
  | "upstream-unavailable"
  | "upstream-protocol"
  | "store-full"
  | "store-damaged"
  | "aborted"
  | "closed";

/** Optional facts that callers may act on or print; never a secret, never a URL with its query. */
export interface ErrorFacts {
  readonly expected?: string | number;
  readonly found?: string | number;
  /** Milliseconds after which a retry can make sense. */
  readonly retryAfterMs?: number;
  /** What was asked for, as a person would write it. */
  readonly target?: string;
  /** The HTTP status that the upstream answered, where one was seen. */
  readonly upstreamStatus?: number;
  /** A short body of the upstream that is meant for the person who pulls (412 of the Ollama registry). */
  readonly upstreamText?: string;
  readonly cause?: unknown;
}

/** A failure with a code to switch on and a message that is a sentence with the values in it. */
export class GranaryError extends Error {
  readonly code: ErrorCode;
  readonly facts: Omit<ErrorFacts, "cause">;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    const { cause, ...rest } = facts;
    super(message, cause === undefined ? undefined : { cause });
    this.name = "GranaryError";
    this.code = code;
    this.facts = rest;
  }
}

/** True when `error` is a GranaryError with one of `codes` (or with any code, when none is given). */
export function isGranaryError(error: unknown, ...codes: ErrorCode[]): error is GranaryError {
  return error instanceof GranaryError && (codes.length === 0 || codes.includes(error.code));
}

/** The message of anything thrown, for logs and for wrapping. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
