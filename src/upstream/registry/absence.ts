/**
 * Owns the two ways in which a registry says that something is not there: "absent", whose words are kept beside the `undefined` of the
 * question, and "absent or private", which may count as absent while nothing is stored, because a client cannot have it either way. What is
 * stored is never given up for the second.
 */
import { isGranaryError } from "../../errors.ts";
import type { ToldError } from "../../oci/error-body.ts";
import type { OnAbsent } from "../upstream-client.ts";

export type Absence = {
  /** Goes into the question. */
  readonly onAbsent: OnAbsent;
  /** What was said last; empty when nothing was said. */
  readonly told: readonly ToldError[];
};

/** Collects what the registry says of the absence. */
export function hearAbsence(): Absence {
  let told: readonly ToldError[] = [];
  const onAbsent: OnAbsent = (words) => {
    if (words.length > 0) told = words;
  };
  return {
    onAbsent,
    get told() {
      return told;
    },
  };
}

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
