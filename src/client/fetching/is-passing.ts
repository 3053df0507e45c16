/** Owns the question whether a failed fetch is worth keeping: another try can go on from it. Pure. */
import { type ErrorCode, isGranaryError } from "../../errors.ts";

const PASSING: readonly ErrorCode[] = [
  "aborted",
  "closed",
  "upstream-unavailable",
  "upstream-protocol",
  "upstream-refused",
  "rate-limited",
  "unauthorized",
  "denied",
];

/** True for failures of the line, of a peer, of a login, and for a stop: what was fetched is right as far as it goes. */
export function isPassing(error: unknown): boolean {
  return isGranaryError(error, ...PASSING);
}
