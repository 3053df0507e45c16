/** Owns the wait for a Fill, with reports of how far it is. It starts and stops nothing. */
import type { Fill } from "../../fill/fill.ts";
import { foregroundClock, type Timer } from "../../observe/clock.ts";
import type { OnProgress } from "./progress.ts";

const REPORT_MS = 100;
/** The first report tells what an earlier run left: it comes when that is known, and before much is added to it. */
const OPENING_MS = 5;

/** Resolves when `fill` has let go of its files. What `onProgress` throws ends the wait. */
export async function watchFill(fill: Fill, onProgress: OnProgress | undefined): Promise<void> {
  if (onProgress === undefined) return await fill.ended;
  const failed = Promise.withResolvers<never>();
  let timer: Timer | undefined;
  let done = 0;
  const report = () => {
    if (fill.facts.state === "opening") {
      timer = foregroundClock.after(OPENING_MS, report);
      return;
    }
    // A fill that starts over has less than before: what was reported stays reported.
    done = Math.max(done, fill.facts.present);
    try {
      onProgress({ phase: "fetch", done, total: fill.size });
      timer = foregroundClock.after(REPORT_MS, report);
    } catch (error) {
      failed.reject(error);
    }
  };
  timer = foregroundClock.after(0, report);
  try {
    await Promise.race([fill.ended, failed.promise]);
  } finally {
    timer.cancel();
  }
  if (fill.failure === undefined) onProgress({ phase: "fetch", done: fill.size, total: fill.size });
}
