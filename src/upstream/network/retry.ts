/**
 * Owns the decision whether and when to ask again (docs/protocol.md#retries). Pure: time and chance are passed in.
 * Only idempotent questions (HEAD, GET of small answers, tokens) come here; the body of a blob is the Fill's to resume.
 */
import { type GranaryError, isGranaryError } from "../../errors.ts";

/** Clients wait about 30 s for headers; three tries fit into that. */
export const MAX_TRIES = 3;
export const BUDGET_MS = 30_000;

const FIRST_DELAY_MS = 250;
const GROWTH = 4;
const JITTER = 0.25;

export type Tried = {
  /** 1 for the first. */
  readonly attempt: number;
  /** Milliseconds since the first try began. */
  readonly spentMs: number;
  /** In `[0, 1)`. */
  readonly chance: number;
};

/**
 * Milliseconds to wait before the next try; undefined when there should be none: the error is no passing one, the
 * tries are used up, or the wait does not fit into the budget.
 */
export function retryDelay(error: unknown, { attempt, spentMs, chance }: Tried): number | undefined {
  if (attempt >= MAX_TRIES || !isGranaryError(error, "upstream-unavailable")) return undefined;
  const delayMs = Math.max(error.facts.retryAfterMs ?? 0, backOff(attempt, chance));
  return spentMs + delayMs < BUDGET_MS ? delayMs : undefined;
}

/** True when nothing that speaks HTTP answered: connecting, TLS or the wait for headers failed. */
export function isUnanswered(error: GranaryError): boolean {
  return error.code === "upstream-unavailable" && error.facts.upstreamStatus === undefined;
}

function backOff(attempt: number, chance: number): number {
  const base = FIRST_DELAY_MS * GROWTH ** (attempt - 1);
  return Math.round(base * (1 - JITTER + 2 * JITTER * chance));
}
