/** Owns Observers: what every part of a process logs to, counts into, and takes the time from. */
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

export type Observers = { readonly log: Log; readonly metrics: Metrics; readonly clock: Clock };
