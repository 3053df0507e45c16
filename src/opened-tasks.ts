/**
 * Owns what a server does by itself: its jobs, the warm-ups and the verification of the settings at their times, and the prefetch. It composes
 * them over a Mirror and ends them before it.
 */
import type { Settings } from "./config/settings.ts";
import { contradictionOf } from "./contradictions.ts";
import { messageOf } from "./errors.ts";
import { AttendedJobs } from "./jobs/attended-jobs.ts";
import { Jobs, type JobsParts } from "./jobs/jobs.ts";
import type { JobRows } from "./metadata/job-rows.ts";
import type { Mirror } from "./mirror/mirror.ts";
import { asObject } from "./oci/json-value.ts";
import { type ReloadPart, renewing } from "./reloading/reload-part.ts";
import { evictJob } from "./removing/evict-job.ts";
import { type RemovingParts, removeJob } from "./removing/remove-job.ts";
import { parseSchedule } from "./schedule/schedule.ts";
import { Timetable, type TimetableEntry } from "./schedule/timetable.ts";
import type { Upstream } from "./upstream/policy.ts";
import type { ContentQuestions } from "./verifying/meant-by.ts";
import { titleOfVerify, VERIFY_JOB, verifyJob } from "./verifying/verify-job.ts";
import { Prefetch } from "./warm/prefetch.ts";
import { warmJob } from "./warm/warm-job.ts";
import type { PreviewParts } from "./warm/warm-preview.ts";
import { WarmUps } from "./warm/warm-ups.ts";

export type TasksParts = JobsParts & {
  readonly mirror: Mirror;
  /** Those that are configured now. */
  readonly upstreams: () => readonly Upstream[];
  readonly contents: ContentQuestions;
  /** What removes and evicts. */
  readonly removals: RemovingParts["removals"];
  /** A command has opened the directory, and no server runs. */
  readonly isAtRest: boolean;
  /** Whether a blob is here whole, and what is here of others. */
  readonly isHere: PreviewParts["isHere"];
  readonly partials: PreviewParts["partials"];
  /** See WarmUps. */
  readonly leads?: (() => boolean) | undefined;
};

export class OpenedTasks {
  readonly jobs: Jobs;
  readonly warmUps: WarmUps;
  readonly prefetch: Prefetch;
  readonly importing: AttendedJobs;
  readonly exporting: AttendedJobs;
  readonly #parts: TasksParts;
  readonly #times: Timetable;

  constructor(parts: TasksParts) {
    // The rows are the server's: what a command does alone is over with it.
    this.jobs = new Jobs(parts.isAtRest ? { ...parts, rows: NO_ROWS } : parts);
    const warm = { ...parts, jobs: this.jobs };
    this.jobs.register(warmJob(warm));
    this.jobs.register(verifyJob(parts));
    this.jobs.register(removeJob(parts));
    this.jobs.register(evictJob(parts));
    const attended = (kind: string) =>
      new AttendedJobs(this.jobs, kind, (input, running) =>
        contradictionOf({ kind, input }, running, parts.upstreams()),
      );
    this.importing = attended("import");
    this.exporting = attended("export");
    this.#times = new Timetable(parts.clock);
    this.#parts = parts;
    this.warmUps = new WarmUps(warm);
    this.prefetch = new Prefetch(parts);
  }

  /** Goes on with the jobs that ran when the last process ended, and keeps to the times of `settings` from now on. */
  async begin(settings: Settings): Promise<void> {
    await this.jobs.open();
    this.#set(settings);
  }

  get reloadPart(): ReloadPart<Settings> {
    return renewing(["warm", "prefetch", "verify"], (next) => this.#set(next));
  }

  /** Never rejects. Idempotent. */
  async close(deadlineMs: number): Promise<void> {
    this.warmUps.close();
    this.#times.close();
    await Promise.all([this.prefetch.close(), this.jobs.close(deadlineMs)]);
  }

  #set({ warm = [], prefetch, verify }: Settings): void {
    this.warmUps.set(warm);
    this.prefetch.set(prefetch?.platforms ?? []);
    this.#times.set(verify === undefined ? [] : [this.#verifying(verify)]);
  }

  #verifying(schedule: string): TimetableEntry {
    const last = this.jobs.list().find(({ kind, input }) => kind === VERIFY_JOB && isOfEverything(input));
    const times = parseSchedule(schedule, this.#parts.clock.now());
    return { name: VERIFY_JOB, schedule: times, run: () => this.#verify(), ranAt: last?.startedAt };
  }

  #verify(): void {
    const ask = { repair: true };
    try {
      this.jobs.start(VERIFY_JOB, ask, titleOfVerify(ask));
    } catch (error) {
      this.#parts.log.warn({ reason: messageOf(error) }, "the verification of the settings could not begin");
    }
  }
}

const NO_ROWS: JobRows = { jobs: async () => [], writeJobs: async () => undefined };

function isOfEverything(input: unknown): boolean {
  return asObject(input)?.pattern === undefined;
}
