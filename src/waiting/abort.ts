/**
 * Owns what waiting work does when a signal asks it to stop. It ends waits, never the awaited work: that is for the work's owner.
 */
import { GranaryError } from "../errors.ts";

/** `doing` completes the sentence, such as "fetching x". */
export function abortedError(signal: AbortSignal, doing = "the work"): GranaryError {
  return new GranaryError("aborted", `Stopped ${doing} because it was asked to.`, { cause: signal.reason });
}

/** Throws `aborted` when `signal` has said so already: for the start of each step of long work. */
export function throwIfAborted(signal: AbortSignal | undefined, doing?: string): void {
  if (signal?.aborted === true) throw abortedError(signal, doing);
}

/**
 * Calls `run` once when `signal` aborts: now, in this tick, when it has done so already. The returned function takes that back; whoever
 * calls this calls it when the work is over, because a signal may live much longer than one piece of work.
 */
export function onAbort(signal: AbortSignal | undefined, run: () => void): () => void {
  if (signal === undefined) return () => undefined;
  if (signal.aborted) {
    run();
    return () => undefined;
  }
  signal.addEventListener("abort", run, { once: true });
  return () => signal.removeEventListener("abort", run);
}

/** What `work` gives, or `aborted` as soon as `signal` says so: the work itself goes on until its owner ends it. */
export async function untilAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  doing?: string,
): Promise<T> {
  if (signal === undefined) return await work;
  const aborted = Promise.withResolvers<never>();
  const stopListening = onAbort(signal, () => aborted.reject(abortedError(signal, doing)));
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    stopListening();
    aborted.promise.catch(() => undefined); // Nobody waits for it any more.
    work.catch(() => undefined); // Its owner hears of its failure; here the abort has been told.
  }
}
