/** Owns the time: the only file that reads a clock or sets a timer, so that tests and the simulation can replace it. */

export interface Timer {
  /** Idempotent; a cancelled timer never fires. */
  cancel(): void;
}

export interface Clock {
  /** Epoch ms: the date. It jumps when somebody sets the clock, so it is only for what is stored or shown with a date. */
  now(): number;
  /** Whole ms since some moment before: it never goes back, whatever the date does. Every duration is measured with it. */
  elapsed(): number;
  /** Calls `run` once after `ms`. The timer does not keep the process alive. */
  after(ms: number, run: () => void): Timer;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: elapsedMs,
  after(ms, run) {
    const timer = setTimeout(run, ms);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/**
 * For work that somebody waits for: its timers keep the process alive. While a command pauses between two tries, nothing else would.
 */
export const foregroundClock: Clock = {
  now: () => Date.now(),
  elapsed: elapsedMs,
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

function elapsedMs(): number {
  return Math.floor(performance.now());
}
