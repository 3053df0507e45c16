/**
 * Owns the one error class and its closed set of codes. Every failure that crosses a layer is a GranaryError;
 * nothing here knows HTTP or exit codes (http/answers/error-answer.ts and cli/exit-code.ts each map the codes once).
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
  | "upstream-refused"
  | "range-unsatisfiable"
  | "digest-mismatch"
  | "size-mismatch"
  | "manifest-invalid"
  | "upstream-unavailable"
  | "upstream-protocol"
  | "conflict"
  | "fleet-unavailable"
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
  /** Who answered: the host, with its port if it has one. */
  readonly host?: string;
  /**
   * Set where nothing was sent, because the upstream is known to be away or to limit us: for how long that has been so, ms. Such a
   * refusal is no news of the upstream, and no failure to count.
   */
  readonly unsentForMs?: number;
  /** True where not even a connection could be made. */
  readonly isUnreachable?: boolean;
  /** True where the other side ended the connection before a byte of any answer had come on it. */
  readonly isTurnedAway?: boolean;
  /** The HTTP status that the upstream answered, where one was seen. */
  readonly upstreamStatus?: number;
  /**
   * What happened, without the name of anything that was asked for: a host and an event ("ghcr.io answered 502"), no full stop. The
   * message is for who asked; this may be told to everybody whom the failure concerns.
   */
  readonly reason?: string;
  /** A short body of the upstream that is meant for the person who pulls (412 of the Ollama registry). */
  readonly upstreamText?: string;
  /** In the upstream's own words, fit to be shown; only for who asked the question that this answers. */
  readonly told?: readonly { readonly code: string | undefined; readonly message: string }[];
  /** True where a person has set the upstream offline. */
  readonly isSetOffline?: boolean;
  /** Set where another process holds what was to be opened. */
  readonly isInUse?: boolean;
  /** What was named is one of these, and something else was wanted. */
  readonly isRather?: "image" | "model" | "artifact";
  /** The message says already what to do about it. */
  readonly saysWhatToDo?: boolean;
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

/** True for the name of a code, whoever wrote it. */
export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === "string" && Object.hasOwn(REASONS, text);
}

/** The message of anything thrown, for logs and for wrapping. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Why it failed, in words that name no repository, tag, digest, path or login: for whoever else the failure concerns. A clause
 * without a full stop.
 */
export function reasonOf(error: unknown): string {
  if (!(error instanceof GranaryError)) return "something unexpected went wrong";
  if (error.facts.reason !== undefined) return error.facts.reason;
  return isGranaryError(error.cause) ? reasonOf(error.cause) : REASONS[error.code];
}

const REASONS: Readonly<Record<ErrorCode, string>> = {
  "reference-invalid": "what was asked for has no valid name",
  "digest-invalid": "what was asked for has no valid digest",
  "config-invalid": "the configuration or a login cannot be used",
  "path-invalid": "a path cannot be used",
  "route-unknown": "no such upstream is configured",
  "not-found": "what was asked for is not there",
  unauthorized: "the login was refused",
  denied: "the request was refused",
  "client-outdated": "a newer client is asked for",
  "rate-limited": "the registry limits requests",
  "upstream-refused": "the registry refuses what was asked for",
  "range-unsatisfiable": "the range that was asked for is not there",
  "digest-mismatch": "wrong bytes came",
  "size-mismatch": "another size came than was stated",
  "manifest-invalid": "the manifest that came cannot be used",
  "upstream-unavailable": "the registry does not answer",
  "upstream-protocol": "the registry answered with something that cannot be used",
  conflict: "something else speaks against it right now",
  "fleet-unavailable": "what this fleet shares does not answer",
  "store-full": "there is no room on the disk",
  "store-damaged": "the store cannot be read",
  aborted: "it was given up",
  closed: "it was closed",
};
