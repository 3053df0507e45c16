/**
 * Owns the step from "absent or private" to "absent": right while nothing is stored, because a client cannot have it either way. What is
 * stored is never given up for that.
 */
import { isGranaryError } from "../../errors.ts";
import type { OnAbsent } from "../upstream-client.ts";

/**
 * The value, or what was told in its place; undefined also where the upstream would not say whether it is there or
 * private (docs/protocol.md#docker-hub-absent-repositories).
 */
export async function unlessHidden<T>(
  asking: Promise<T | undefined>,
  onAbsent?: OnAbsent,
): Promise<T | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (!isGranaryError(error, "not-found")) throw error;
    onAbsent?.(error.facts.told ?? []);
    return undefined;
  }
}
