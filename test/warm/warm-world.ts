/** Owns warm-ups of tests: jobs over the Mirror of a MirrorWorld, with rows that a second set of jobs can go on from. */
import { Jobs } from "../../src/jobs/jobs.ts";
import type { JobRow, JobRows } from "../../src/metadata/job-rows.ts";
import type { Clock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { Events } from "../../src/records/events.ts";
import { WARM_JOB, warmJob } from "../../src/warm/warm-job.ts";
import type { WarmResult } from "../../src/warm/warm-result.ts";
import { type MirrorWorld, UPSTREAM } from "../support/mirror-world.ts";

export class MemoryRows implements JobRows {
  readonly #rows = new Map<number, string>();

  async jobs(): Promise<JobRow[]> {
    return [...this.#rows].map(([id, body]) => ({ id, body }));
  }

  async writeJobs(changed: readonly JobRow[], forgotten: readonly number[]): Promise<void> {
    for (const { id, body } of changed) this.#rows.set(id, body);
    for (const id of forgotten) this.#rows.delete(id);
  }
}

export const UPSTREAMS = [
  { name: UPSTREAM, aliases: [], names: "oci" },
  { name: "registry.ollama.ai", aliases: [], names: "ollama" },
  { name: "docker.io", aliases: [], names: "hub" },
] as const;

export async function openWarm(
  world: MirrorWorld,
  rows: JobRows = new MemoryRows(),
  clock: Clock = world.clock,
): Promise<Jobs> {
  const jobs = new Jobs({ rows, events: new Events(clock), clock, log: silentLog, metrics: createMetrics() });
  jobs.register(warmJob({ mirror: world.mirror, clock, upstreams: () => UPSTREAMS }));
  await jobs.open();
  return jobs;
}

/** The result of a warm-up from its begin to its end. */
export async function warmed(
  jobs: Jobs,
  references: readonly string[],
  more: { readonly platforms?: readonly string[]; readonly attestations?: boolean } = {},
): Promise<WarmResult> {
  const { id } = jobs.start(WARM_JOB, { references, ...more }, "warm");
  const { state, reason, result } = await jobs.ended(id);
  if (state !== "done") throw new Error(`${state}: ${reason}`);
  return result as WarmResult;
}
