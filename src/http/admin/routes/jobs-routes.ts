/** Owns `/api/v1/jobs`: the jobs that run and those that are remembered, one of them, and how one is stopped. What begins a job is elsewhere. */
import { createRoute, z } from "@hono/zod-openapi";
import type { JobRecord } from "../../../jobs/job.ts";
import { asObject, objects, sizeOf } from "../../../oci/json-value.ts";
import { codeSchema } from "../admin-error.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, changed, changeQuery, listOf, listQuery } from "../route-shapes.ts";
import { listPlace } from "./page.ts";

const amount = z.object({
  done: z.number(),
  total: z.number().openapi({ description: "0 while nobody knows it." }),
});

const time = z.number().openapi({ description: "Milliseconds since 1970." });

const jobFields = {
  id: z.number().int(),
  kind: z.string().openapi({ description: "warm, verify, import, export, remove, evict." }),
  title: z.string(),
  state: z.enum(["running", "done", "failed", "stopped"]),
  startedAt: time,
  endedAt: time.optional(),
  progress: z.object({ bytes: amount, things: amount }),
  resumes: z
    .number()
    .openapi({ description: "How often in a row it went on after an end that nobody asked for." }),
  reason: z.string().optional().openapi({ description: "Why it failed or was stopped." }),
  code: codeSchema.optional(),
  failures: z.number().int().optional().openapi({
    description:
      "Of a job that ended: names that failed, or findings that are not repaired. Left out where there is none.",
  }),
};

const briefSchema = z.object(jobFields).openapi("JobBrief");

/** A job with everything that is known of it. */
export const jobSchema = z
  .object({
    ...jobFields,
    notes: z.array(z.string()).openapi({ description: "What it said last." }),
    input: z.unknown(),
    result: z.unknown().optional(),
  })
  .openapi("Job");

export type Job = z.infer<typeof jobSchema>;
export type JobBrief = z.infer<typeof briefSchema>;

export const stoppedSchema = changed({ job: jobSchema });

export const jobListSchema = listOf(briefSchema);

const listJobs = createRoute({
  method: "get",
  path: "/api/v1/jobs",
  tags: ["jobs"],
  summary: "Jobs that run and that ended lately, the newest first",
  request: {
    query: listQuery(["newest"]).extend({
      state: z.enum(["running", "done", "failed", "stopped"]).optional(),
    }),
  },
  responses: answers(jobListSchema, "Jobs without their inputs and results."),
});

const params = z.object({ id: z.coerce.number().int().min(1) });

const getJob = createRoute({
  method: "get",
  path: "/api/v1/jobs/{id}",
  tags: ["jobs"],
  summary: "One job with its notes and its result",
  request: { params },
  responses: answers(jobSchema, "The job."),
});

const stopJob = createRoute({
  method: "post",
  path: "/api/v1/jobs/{id}/stop",
  tags: ["jobs"],
  summary: "Ask a job to stop",
  request: { params, query: changeQuery },
  responses: answers(stoppedSchema, "The job as it is now; it ends soon after."),
});

export function jobsRoutes(app: AdminApp, { jobs }: Pick<AdminParts, "jobs">): void {
  app.openapi(listJobs, (context) => {
    const { limit, after, search = "", state } = context.req.valid("query");
    const wanted = search.toLowerCase();
    const below = listPlace(after, Number.POSITIVE_INFINITY);
    const found = jobs
      .list()
      .filter((job) => job.id < below && (state === undefined || job.state === state))
      .filter(({ kind, title }) => `${kind} ${title}`.toLowerCase().includes(wanted));
    const items = found.slice(0, limit).map(briefOf);
    const last = items.at(-1);
    const isMore = found.length > items.length && last !== undefined;
    return context.json({ items, ...(isMore && { next: String(last.id) }) }, 200);
  });
  app.openapi(getJob, (context) => context.json(shownJob(jobs.get(context.req.valid("param").id)), 200));
  app.openapi(stopJob, (context) => {
    const { id } = context.req.valid("param");
    const { dryRun } = context.req.valid("query");
    const job = shownJob(dryRun ? jobs.get(id) : jobs.stop(id));
    return context.json(dryRun ? { job, dryRun } : { job }, 200);
  });
}

/** The record as it goes over the wire. */
export function shownJob(record: JobRecord): Job {
  const { notes, input, result } = record;
  return { ...briefOf(record), notes: [...notes], input, ...(result !== undefined && { result }) };
}

function briefOf(record: Omit<JobRecord, "notes" | "input">): JobBrief {
  const failures = failuresIn(record.result);
  const { id, kind, title, state, startedAt, endedAt, progress, resumes, reason, code } = record;
  const { bytes, things } = progress;
  return {
    ...{ id, kind, title, state, startedAt, resumes, progress: { bytes, things } },
    ...(endedAt !== undefined && { endedAt }),
    ...(reason !== undefined && { reason }),
    ...(code !== undefined && { code }),
    ...(failures > 0 && { failures }),
  };
}

const FAILED = ["damaged", "incomplete", "refused"];

/** A warm-up counts what failed, a verification lists findings (strangers are no damage), an import names with their outcomes. */
function failuresIn(result: unknown): number {
  const fields = asObject(result);
  const failed = sizeOf(asObject(fields?.counts)?.failed) ?? 0;
  const findings = objects(fields?.findings).filter(
    ({ kind, isRepaired }) => isRepaired !== true && kind !== "stranger",
  );
  const names = objects(fields?.names).filter(({ outcome }) => FAILED.includes(String(outcome)));
  return failed + findings.length + names.length;
}
