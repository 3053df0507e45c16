/** Owns the joining of several fetches' progress into one that only grows and ends exactly once at its total. Pure. */
import type { OnProgress } from "./progress.ts";

/**
 * One listener for each part, in the order of `sizes` (bytes). What `onProgress` throws reaches the part that reported. Where
 * there is nothing to fetch at all, the end is reported by the first part that ends.
 */
export function joinProgress(sizes: readonly number[], onProgress: OnProgress): OnProgress[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const parts = sizes.map(() => 0);
  let reported = -1;
  return sizes.map((size, index) => ({ done }) => {
    // A part that starts over has less than before: what was reported stays reported.
    parts[index] = Math.max(parts[index] ?? 0, Math.min(done, size));
    const sum = parts.reduce((total, part) => total + part, 0);
    if (sum <= reported) return;
    reported = sum;
    onProgress({ phase: "fetch", done: sum, total });
  });
}
