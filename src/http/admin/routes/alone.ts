/** Owns the sentence for who asks a Granary for its fleet that is no node of one. */
import { GranaryError } from "../../../errors.ts";

export function alone(): GranaryError {
  return new GranaryError(
    "not-found",
    "This Granary is no node of a fleet: it works alone, until its settings have a section fleet.",
    { saysWhatToDo: true },
  );
}
