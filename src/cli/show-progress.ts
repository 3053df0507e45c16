/** Owns the choice of how progress is shown: a bar on a terminal, lines in a pipe, nothing when quiet. Always on standard error. */
import { systemClock } from "../observe/clock.ts";
import { progressBar } from "./progress-bar.ts";
import type { ProgressDisplay } from "./progress-display.ts";
import { progressLines } from "./progress-lines.ts";

export function showProgress({ quiet }: { readonly quiet?: boolean }): ProgressDisplay {
  if (quiet === true) return { report: () => undefined, end: () => undefined };
  const show = process.stderr.isTTY === true ? progressBar : progressLines;
  return show(process.stderr, systemClock);
}
