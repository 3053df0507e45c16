/**
 * Owns when a registry will allow more again, as far as it says. Pure. A registry that tells only the length of its window does not say when
 * that began: then no more is known than the time at which all that was counted so far is forgotten.
 */
import type { PullBudget } from "./headers.ts";

export type BudgetReturn = {
  /** Epoch ms. */
  readonly at: number;
  /** True where the registry named this time (Retry-After); else it is the latest: no later than then, if nothing is pulled meanwhile. */
  readonly isStated: boolean;
};

/**
 * `statedUntil` is the end of a limit that is in force, as the registry named it; epoch ms, as `now`. Undefined where nothing is used up, and
 * where nothing says when it comes back.
 */
export function budgetReturn(
  budget: PullBudget | undefined,
  statedUntil: number | undefined,
  now: number,
): BudgetReturn | undefined {
  // A limit while there are pulls left is one of another kind, such as on too many requests in a second.
  const isOfBudget = budget === undefined || budget.remaining === 0;
  if (statedUntil !== undefined && statedUntil > now && isOfBudget)
    return { at: statedUntil, isStated: true };
  if (budget === undefined || budget.windowMs === 0 || budget.remaining >= budget.limit) return undefined;
  const latest = budget.seenAt + budget.windowMs;
  return latest > now ? { at: latest, isStated: false } : undefined;
}
