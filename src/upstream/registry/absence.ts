/**
 * Owns what a registry says while it answers that something is not there: kept beside the `undefined` of one question, for whoever asked it.
 */
import type { ToldError } from "../../oci/error-body.ts";
import type { OnAbsent } from "../upstream-client.ts";

export type Absence = {
  /** To be given to the question. */
  readonly onAbsent: OnAbsent;
  /** The last words; none where there were none. */
  readonly told: readonly ToldError[];
};

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
