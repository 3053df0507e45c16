/**
 * Owns the warm-ups of the settings: named lists that are brought in at their times, whenever one of their tags moves, or when somebody says
 * so. Each run is a job; while one of a list runs, no second one begins. It brings in nothing itself.
 */
import { isGranaryError, messageOf } from "../errors.ts";
import type { JobRecord } from "../jobs/job.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Clock } from "../observe/clock.ts";
import type { Log } from "../observe/log.ts";
import { asObject } from "../oci/json-value.ts";
import type { RoutedUpstream } from "../routing/routing.ts";
import { parseSchedule } from "../schedule/schedule.ts";
import { Timetable } from "../schedule/timetable.ts";
import { MovedTags } from "./moved-tags.ts";
import { titleOf, type WarmAsk } from "./warm-ask.ts";
import { WARM_JOB } from "./warm-job.ts";
import { type PreviewParts, previewWarm, type WarmPreview } from "./warm-preview.ts";

export type WarmList = Omit<WarmAsk, "list"> & {
  readonly name: string;
  /** At these times: a schedule that can be read. */
  readonly schedule?: string;
  /** Whenever a tag of it moves: how often that is asked, ms. */
  readonly movedEveryMs?: number;
};

/** A list, with what came of it and when it comes next. */
export type WarmUp = WarmList & {
  /** Epoch ms. */
  readonly dueAt?: number;
  /** The last job of it. */
  readonly last?: JobRecord;
};

export type WarmUpsParts = PreviewParts & {
  readonly jobs: Jobs;
  readonly log: Log;
  /** In a fleet: whether this node begins what comes due, for all; always when left out. */
  readonly leads?: (() => boolean) | undefined;
};

export class WarmUps {
  readonly #parts: WarmUpsParts;
  readonly #clock: Clock;
  readonly #times: Timetable;
  #lists: readonly WarmList[] = [];
  #moved: readonly MovedTags[] = [];

  constructor(parts: WarmUpsParts) {
    this.#parts = parts;
    this.#clock = parts.clock;
    this.#times = new Timetable(parts.clock);
  }

  /** These lists, from now on. Jobs that run go on. */
  set(lists: readonly WarmList[]): void {
    this.#lists = lists;
    for (const moved of this.#moved) moved.close();
    this.#moved = lists.flatMap((list) => this.#watching(list) ?? []);
    this.#times.set(
      lists.flatMap(({ name, schedule }) => {
        if (schedule === undefined) return [];
        const times = parseSchedule(schedule, this.#clock.now());
        return {
          name,
          schedule: times,
          run: () => void this.#begin(name),
          ranAt: this.#lastOf(name)?.startedAt,
        };
      }),
    );
  }

  list(): readonly WarmUp[] {
    return this.#lists.map((list) => {
      const [dueAt, last] = [this.#times.dueAt(list.name), this.#lastOf(list.name)];
      return { ...list, ...(dueAt !== undefined && { dueAt }), ...(last !== undefined && { last }) };
    });
  }

  /** Those that are configured now. */
  upstreams(): Iterable<RoutedUpstream> {
    return this.#parts.upstreams();
  }

  /** See previewWarm. */
  preview(ask: WarmAsk, signal: AbortSignal): Promise<WarmPreview> {
    return previewWarm(this.#parts, ask, signal);
  }

  /** What the list of that name asks for; undefined where there is none. */
  askOf(name: string): WarmAsk | undefined {
    const found = this.#lists.find((list) => list.name === name);
    if (found === undefined) return undefined;
    const { references, platforms, attestations } = found;
    return { list: name, references, platforms, attestations };
  }

  close(): void {
    this.#times.close();
    for (const moved of this.#moved) moved.close();
    this.#moved = [];
  }

  #watching(list: WarmList): MovedTags | undefined {
    const { name, movedEveryMs } = list;
    if (movedEveryMs === undefined) return undefined;
    const { mirror, upstreams } = this.#parts;
    const parts = { mirror, upstreams, clock: this.#clock, log: this.#parts.log };
    return new MovedTags(parts, { name, references: list.references, everyMs: movedEveryMs }, (moved) =>
      this.#begin(name, moved),
    );
  }

  /** False when it could not begin: another one of this list runs, another node of the fleet begins it, or Granary stops. */
  #begin(name: string, references?: readonly string[]): boolean {
    const ask = this.askOf(name);
    if (ask === undefined || this.#parts.leads?.() === false) return false;
    const wanted = references === undefined ? ask : { ...ask, references };
    try {
      this.#parts.jobs.start(WARM_JOB, wanted, titleOf(wanted));
      return true;
    } catch (error) {
      const facts = { list: name, reason: messageOf(error) };
      if (isGranaryError(error, "conflict")) this.#parts.log.info(facts, "a warm-up was left out");
      else if (!isGranaryError(error, "closed")) this.#parts.log.warn(facts, "a warm-up could not begin");
      return false;
    }
  }

  #lastOf(name: string): JobRecord | undefined {
    return this.#parts.jobs
      .list()
      .find(({ kind, input }) => kind === WARM_JOB && asObject(input)?.list === name);
  }
}
