/**
 * Owns how long tests wait. No test may depend on being fast: these limits only keep one from hanging, and tell "at once" from the
 * time-outs (15 s and more) that would end the same thing otherwise.
 */
import { vi } from "vitest";

/** "At once", on a machine that does twenty other things. */
export const PROMPT_MS = 10_000;

/** Resolves when `check` neither throws nor rejects; by itself vitest gives up after one second. */
export async function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  return await vi.waitFor(check, { timeout: 60_000, interval: 10 });
}
