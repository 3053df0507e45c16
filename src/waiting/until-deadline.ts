/** Owns waiting for shared work no longer than a point in time. The work goes on; its failure then is nobody's here. */
import type { Clock } from "../observe/clock.ts";

/** The value of `work`, or undefined once `deadline` (of the clock's `elapsed`) has passed. Rejects as `work` does before that. */
export async function untilDeadline<T>(
  work: Promise<T>,
  deadline: number,
  clock: Clock,
): Promise<T | undefined> {
  const passed = Promise.withResolvers<undefined>();
  const timer = clock.after(Math.max(0, deadline - clock.elapsed()), () => passed.resolve(undefined));
  // Work that fails after the deadline has been reported where it ran; here nobody waits for it any more.
  work.catch(() => {});
  try {
    return await Promise.race([work, passed.promise]);
  } finally {
    timer.cancel();
  }
}
