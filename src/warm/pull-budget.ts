/**
 * Owns how a warm-up spares the pulls that a registry counts (Docker Hub's, docs/protocol.md#docker-hub-rate-limits): the last tenth is left to
 * clients, and when the registry limits us, it waits. It asks for nothing by itself.
 */
import { isGranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import type { UpstreamStatus } from "../upstream/upstream-client.ts";
import { throwIfAborted } from "../waiting/abort.ts";
import { sleep } from "../waiting/sleep.ts";

type Budget = NonNullable<UpstreamStatus["rateLimit"]>;

const LOOK_MS = 60_000;
/** When the registry does not say how long it limits us. */
const UNSTATED_MS = 5 * 60_000;
/** Longer than the window of six hours that Docker Hub counts in. */
const PATIENCE_MS = 6.5 * 3_600_000;

/** Pulls that are left to clients. */
function reserveOf({ limit }: Pick<Budget, "limit">): number {
  return Math.ceil(limit / 10);
}

/** True while manifests should not be fetched for anybody who does not wait. What was seen before the window began says nothing any more. */
export function isLow(budget: Budget | undefined, now: number): boolean {
  if (budget === undefined) return false;
  const isOld = now - budget.seenAt > (budget.windowMs || PATIENCE_MS);
  return !isOld && budget.remaining <= reserveOf(budget);
}

export type BudgetWait = {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The budget as it was seen last. */
  readonly budget: () => Promise<Budget | undefined>;
  /** Asks something that costs nothing and shows the budget anew. Its failure says nothing. */
  readonly look: () => Promise<unknown>;
  /** Told once, before a long wait. */
  readonly note: (text: string) => void;
};

/** Resolves when there are enough pulls, or after patience; throws `aborted`. */
export async function waitForBudget({ clock, signal, budget, look, note }: BudgetWait): Promise<void> {
  const begun = clock.elapsed();
  for (let isTold = false; ; isTold = true) {
    throwIfAborted(signal, "the warm-up");
    const seen = await budget();
    if (seen === undefined || !isLow(seen, clock.now()) || clock.elapsed() - begun > PATIENCE_MS) return;
    if (!isTold)
      note(
        `${seen.remaining} of ${seen.limit} pulls are left, and these are for clients: waiting until there are more`,
      );
    await sleep(LOOK_MS, clock, signal);
    await look().catch(() => undefined);
  }
}

/** What `work` gives; while it fails because the registry limits us, it is done again when that is over. */
export async function untilUnlimited<T>(
  work: () => Promise<T>,
  { clock, signal, note }: Pick<BudgetWait, "clock" | "signal" | "note">,
): Promise<T> {
  const begun = clock.elapsed();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isGranaryError(error, "rate-limited") || signal.aborted) throw error;
      const ms = Math.min(Math.max(error.facts.retryAfterMs ?? UNSTATED_MS, 1_000), PATIENCE_MS);
      if (clock.elapsed() + ms - begun > PATIENCE_MS) throw error;
      note(`${error.message} Going on in ${Math.ceil(ms / 60_000)} min`);
      await sleep(ms, clock, signal);
      throwIfAborted(signal, "the warm-up");
    }
  }
}
