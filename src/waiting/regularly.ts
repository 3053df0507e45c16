/** Owns work that is done again and again: one run at a time, each a while after the last one has ended. It swallows no failure: the work must not fail. */
import type { Clock, Timer } from "../observe/clock.ts";

/** At once, then `ms` after each run has ended. The returned stop waits for a run that is under way. `work` must not reject. */
export function regularly(clock: Clock, ms: number, work: () => Promise<void>): () => Promise<void> {
  let isStopped = false;
  let next: Timer | undefined;
  let running = Promise.resolve();
  const run = () => {
    running = work().then(() => {
      if (!isStopped) next = clock.after(ms, run);
    });
  };
  run();
  return () => {
    isStopped = true;
    next?.cancel();
    return running;
  };
}
