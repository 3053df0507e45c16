/**
 * Owns what is told when the circuit of an upstream opens and closes, and when the upstream limits us: a line of the log, a gauge, an event.
 * It decides nothing.
 */
import type { ErrorCode } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { Metrics } from "../../observe/metrics.ts";
import type { EventTeller } from "../../records/events.ts";

type ReportParts = {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly events: EventTeller | undefined;
};

/** Of the errors that clients get meanwhile. */
const AWAY: ErrorCode = "upstream-unavailable";
const LIMITED: ErrorCode = "rate-limited";

/** Limits of many repositories at once are one thing to tell. */
const LIMITED_EVERY_MS = 60_000;

export class CircuitReport {
  readonly #upstream: string;
  readonly #parts: ReportParts;
  #limitedAt: number | undefined;

  constructor(upstream: string, parts: ReportParts) {
    this.#upstream = upstream;
    this.#parts = parts;
  }

  /** The upstream is not asked any more, or is asked again. */
  changed(isOpen: boolean, reason: string | undefined, isAway: boolean): void {
    const { log, metrics, events } = this.#parts;
    const upstream = this.#upstream;
    metrics.circuitOpen.set({ upstream }, isOpen ? 1 : 0);
    if (!isOpen) {
      log.info({ upstream }, "upstream answers again");
      events?.tell("upstream-up", `${upstream} answers again`, { upstream });
      return;
    }
    log.warn({ upstream, reason }, "upstream is not asked for now: answers come from what is stored");
    if (!isAway) return;
    const text = `${upstream} is away, and answers come from what is stored${withReason(reason)}`;
    events?.tell("upstream-down", text, { upstream, code: AWAY, reason });
  }

  /** It has answered 429. */
  limited(reason: string): void {
    const now = this.#parts.clock.elapsed();
    if (this.#limitedAt !== undefined && now - this.#limitedAt < LIMITED_EVERY_MS) return;
    this.#limitedAt = now;
    const upstream = this.#upstream;
    const text = `${upstream} limits us, and what is stored is served${withReason(reason)}`;
    this.#parts.events?.tell("upstream-limited", text, { upstream, code: LIMITED, reason });
  }
}

function withReason(reason: string | undefined): string {
  return reason === undefined ? "" : `: ${reason}`;
}
