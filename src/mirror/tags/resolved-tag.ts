/** Owns what a tag means to one client now, and how sure that is. A type: it decides nothing. */
import type { TagRecord } from "../../metadata/metadata.ts";
import type { Outcome } from "../mirror.ts";

/** A tag, resolved: the record, how it was come by, and why it may be old. */
export type ResolvedTag = {
  readonly record: TagRecord;
  readonly outcome: Outcome;
  readonly warning: string | undefined;
};
