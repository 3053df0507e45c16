/** Owns the wait that a caller's signal can end at once, whatever the awaited work does meanwhile. */
import { GranaryError } from "../errors.ts";

/** What `work` gives, or `aborted` as soon as `signal` says so: the work itself goes on until its owner ends it. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  const ended = Promise.withResolvers<never>();
  const onAbort = () => ended.reject(abortedError(signal));
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([work, ended.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    ended.promise.catch(() => undefined); // Nobody waits for it any more.
    work.catch(() => undefined); // Its owner hears of its failure; here the abort has been told.
  }
}

/** `doing` completes the sentence, such as "fetching x". */
export function abortedError(signal: AbortSignal, doing = "the work"): GranaryError {
  return new GranaryError("aborted", `Stopped ${doing} because it was asked to.`, { cause: signal.reason });
}
