/** Owns the options that every long verb takes. Pure data. */
import type { Clock } from "../../observe/clock.ts";
import type { OnProgress } from "./progress.ts";

export type VerbOptions = {
  /** Ends the verb with `aborted` within a second, also when a peer is silent. The caller owns it. */
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** Times retries; the real one by default. */
  readonly clock?: Clock;
};
