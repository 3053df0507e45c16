/** Owns the one mapping from an error to an exit code: 2 for what the caller wrote, 1 for everything else. */
import { isGranaryError } from "../errors.ts";

export function exitCodeOf(error: unknown): 1 | 2 {
  return isGranaryError(error, "config-invalid", "reference-invalid", "digest-invalid") ? 2 : 1;
}
