/**
 * Owns how a library function ends when its caller's signal says so: it rejects with the signal's reason, as `fetch` does. Where the
 * caller gave none, it rejects with more than the standard reason tells: `aborted`, with a sentence about what is kept, and that
 * standard reason as its cause.
 */
import { isGranaryError } from "../errors.ts";
import { throwIfAborted } from "../waiting/abort.ts";

/** What `work` gives; it is not begun when `signal` is aborted already. Throws the signal's reason, and what `work` throws. */
export async function endedBy<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  try {
    throwIfAborted(signal);
    return await work();
  } catch (error) {
    throw signal !== undefined && isEndBy(error, signal) ? signal.reason : error;
  }
}

function isEndBy(error: unknown, { aborted, reason }: AbortSignal): boolean {
  return aborted && isGranaryError(error, "aborted") && isGiven(reason);
}

/** False for what `abort()` puts there itself when it is called without a reason: an error of its own, always in the same words. */
function isGiven(reason: unknown): boolean {
  const standard: unknown = AbortSignal.abort().reason;
  if (!(reason instanceof DOMException) || !(standard instanceof DOMException)) return true;
  return reason.name !== standard.name || reason.message !== standard.message;
}
