/** Owns exit codes, which scripts rely on: the one mapping from an error to its code, and the error for wrong usage. */
import { type ErrorCode, GranaryError, isGranaryError } from "../errors.ts";

/** How the process ends: 0 done, 1 failed, and what can be told apart. A signal ends it with 128 and the signal's number. */
export type ExitCode = 1 | 2 | 3 | 4 | 5;

const CODES: Partial<Record<ErrorCode, ExitCode>> = {
  "reference-invalid": 2,
  "digest-invalid": 2,
  "config-invalid": 2,
  "path-invalid": 2,
  "not-found": 3,
  "route-unknown": 3,
  unauthorized: 4,
  denied: 4,
  "digest-mismatch": 5,
};

export const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not allowed, 5 digest mismatch; 130 after Ctrl-C, 143 after SIGTERM.`;

export function exitCodeOf(error: unknown): ExitCode {
  return isGranaryError(error) ? (CODES[error.code] ?? 1) : 1;
}

/** The error for arguments and options that do not go together. */
export function misused(sentence: string): GranaryError {
  return new GranaryError("config-invalid", sentence);
}
