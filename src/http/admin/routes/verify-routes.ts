/**
 * Owns `POST /api/v1/verify`: everything that is stored, or what a pattern names, is read and compared with its digest. It is a job: the answer
 * is there at once, and the report is the job's result.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { titleOfVerify, VERIFY_JOB } from "../../../verifying/verify-job.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, changed, changeQuery, flag } from "../route-shapes.ts";
import { jobSchema, shownJob } from "./jobs-routes.ts";

const findingSchema = z.object({
  kind: z.enum([
    "damaged-manifest",
    "damaged-blob",
    "wrong-size",
    "unreadable",
    "unregistered",
    "missing",
    "stranger",
  ]),
  what: z.string(),
  isRepaired: z.boolean(),
  reason: z.string().optional(),
});

/** The result of a verification. */
export const verifyReportSchema = z
  .object({
    blobs: z.number(),
    bytes: z.number(),
    manifests: z.number(),
    findings: z.array(findingSchema),
    leftOut: z.number().openapi({ description: "Findings that are not among them." }),
    fetched: z.number().openapi({ description: "Blobs that were set aside or gone, and are here again." }),
    isSound: z.boolean(),
  })
  .openapi("VerifyReport");

export type VerifyAnswer = z.infer<typeof verifyReportSchema>;

export const verifyBegunSchema = changed({ job: jobSchema }).openapi("VerifyBegun");

const verify = createRoute({
  method: "post",
  path: "/api/v1/verify",
  tags: ["contents"],
  summary: "Read and hash what is stored",
  request: {
    query: changeQuery.extend({
      repair: flag.default(false).openapi({
        description:
          "Set aside what is damaged and fetch it anew, forget what is gone, register what is sound and unknown.",
      }),
      pattern: z.string().min(1).max(1_000).optional().openapi({ description: "Only what it names." }),
    }),
  },
  responses: answers(
    verifyBegunSchema,
    "The job; its result is a VerifyReport. With `dryRun` it repairs nothing: what it finds is what a repair would mend.",
  ),
});

export function verifyRoutes(app: AdminApp, { contents, jobs }: Pick<AdminParts, "contents" | "jobs">): void {
  app.openapi(verify, async (context) => {
    const { repair, dryRun, pattern } = context.req.valid("query");
    const meant = pattern === undefined ? undefined : (await contents.meaning(pattern)).text;
    const ask = {
      repair: repair && !dryRun,
      ...(meant !== undefined && { pattern: meant, isCanonical: true }),
    };
    const job = shownJob(jobs.start(VERIFY_JOB, ask, titleOfVerify(ask)));
    return context.json({ job, ...(dryRun && { dryRun }) }, 200);
  });
}
