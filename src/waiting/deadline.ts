/** Owns waiting for shared work no longer than a point in time. The work goes on; its failure after that is reported where it runs. */
import type { Clock } from "../observe/clock.ts";

/** The value of `work`, or undefined once `deadline` (of the clock's `elapsed`) has passed. Rejects as `work` does before that. */
export function untilDeadline<T>(work: Promise<T>, deadline: number, clock: Clock): Promise<T | undefined> {
  return within(work, Math.max(0, deadline - clock.elapsed()), clock);
}

/** The value of `work`, or undefined after `ms`. Rejects as `work` does before that. */
export async function within<T>(work: Promise<T>, ms: number, clock: Clock): Promise<T | undefined> {
  const passed = Promise.withResolvers<undefined>();
  const timer = clock.after(ms, () => passed.resolve(undefined));
  work.catch(() => undefined);
  try {
    return await Promise.race([work, passed.promise]);
  } finally {
    timer.cancel();
  }
}
