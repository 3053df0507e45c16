/** Owns what all displays of progress share: what they are told, and the words for phases, amounts and times. Pure. */
import { formatBytes } from "../bytes/units.ts";
import type { OnProgress, Progress } from "../client/fetching/progress.ts";

export type ProgressDisplay = {
  readonly report: OnProgress;
  /** Leaves the line that it drew on, so that a sentence can follow. Nothing is shown after it. Idempotent. */
  end(): void;
};

type Phase = Progress["phase"];

const DOING: Record<Phase, string> = {
  fetch: "Fetching",
  extract: "Extracting",
  verify: "Verifying",
  copy: "Copying",
};
const DONE: Record<Phase, string> = {
  fetch: "Fetched",
  extract: "Extracted",
  verify: "Read",
  copy: "Copied",
};

export function doing(phase: Phase): string {
  return DOING[phase];
}

export function finished(phase: Phase): string {
  return DONE[phase];
}

/** "1.5 MiB", "1200 entries". */
export function amountOf(phase: Phase, count: number): string {
  if (phase !== "extract") return formatBytes(Math.round(count));
  return count === 1 ? "1 entry" : `${Math.round(count)} entries`;
}

/** Minutes and seconds, with hours where there are any: "0:07", "1:02:30". */
export function clockTime(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const two = (count: number) => String(count % 60).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}:${two(seconds)}`
    : `${Math.floor(minutes / 60)}:${two(minutes)}:${two(seconds)}`;
}
