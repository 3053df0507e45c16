/** Owns what shows progress, whatever it looks like. */
import type { OnProgress } from "../client/fetching/progress.ts";

export type ProgressDisplay = {
  readonly report: OnProgress;
  /** Leaves the line that it drew on, so that a sentence can follow. Nothing is shown after it. Idempotent. */
  end(): void;
};
