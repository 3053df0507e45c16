/**
 * Owns how old something is whose date was stored. A date in the future cannot be right (the clock is wrong now, or was
 * wrong then), so such a date never makes anything young. Pure.
 */
import { formatDuration } from "../bytes/units.ts";

/** Milliseconds since `date`, never negative; 0 when the date lies in the future. Both are epoch ms. */
export function ageOf(date: number, now: number): number {
  return Math.max(0, now - date);
}

/** True while `date` is at most `lifetimeMs` ago; never for a date from the future. */
export function isYoungerThan(lifetimeMs: number, date: number, now: number): boolean {
  return date <= now && now < date + lifetimeMs;
}

/** "5m ago", or that the time is not known. */
export function formatAge(date: number, now: number): string {
  return date <= now ? `${formatDuration(now - date)} ago` : "at a time in the future (the clock was wrong)";
}
