/**
 * Owns what a server does by itself: its jobs, the warm-ups and the verification of the settings at their times, and the prefetch. It composes
 * them over a Mirror and ends them before it.
 */
import type { Settings } from "./config/settings.ts";
import { Jobs, type JobsParts } from "./jobs/jobs.ts";
import type { Mirror } from "./mirror/mirror.ts";
import type { Digest } from "./oci/digest.ts";
import { type ReloadPart, renewing } from "./reloading/reload-part.ts";
import type { Upstream } from "./upstream/policy.ts";
import { Prefetch } from "./warm/prefetch.ts";
import { warmJob } from "./warm/warm-job.ts";
import { WarmUps } from "./warm/warm-ups.ts";

export type TasksParts = JobsParts & {
  readonly mirror: Mirror;
  /** Those that are configured now. */
  readonly upstreams: () => readonly Upstream[];
  /** Whether a blob is here whole. */
  readonly isHere: (digest: Digest) => Promise<boolean>;
};

export class OpenedTasks {
  readonly jobs: Jobs;
  readonly warmUps: WarmUps;
  readonly prefetch: Prefetch;

  constructor(parts: TasksParts) {
    this.jobs = new Jobs(parts);
    const warm = { ...parts, jobs: this.jobs };
    this.jobs.register(warmJob(warm));
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
    await Promise.all([this.prefetch.close(), this.jobs.close(deadlineMs)]);
  }

  #set({ warm = [], prefetch }: Settings): void {
    this.warmUps.set(warm);
    this.prefetch.set(prefetch?.platforms ?? []);
  }
}
