/**
 * Owns the routes by which what is stored leaves: removals by name, and room made by hand. What takes a moment is done at once; much is a job. What
 * each means is the Contents port's.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { contradictionOf } from "../../../contradictions.ts";
import { GranaryError } from "../../../errors.ts";
import { EVICT_JOB, titleOfEvict } from "../../../removing/evict-job.ts";
import { REMOVE_JOB, titleOfRemove } from "../../../removing/remove-job.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, changed, changeQuery } from "../route-shapes.ts";
import { body, durationText, pattern, sizeText, tried } from "./contents-shapes.ts";
import { jobSchema, shownJob } from "./jobs-routes.ts";

const bytes = z.number().int().nonnegative();
const time = z.number().openapi({ description: "Milliseconds since 1970." });

const removedSchema = changed({
  repositories: z.array(
    z.object({
      upstream: z.string(),
      repository: z.string(),
      isAll: z.boolean(),
      tags: z.array(z.string()),
      manifests: z.array(z.string()),
    }),
  ),
  kept: z.array(z.object({ name: z.string(), rule: z.string() })),
  blobs: z.number(),
  freed: bytes.openapi({ description: "Bytes that come free." }),
  later: bytes.openapi({
    description: "Of these, bytes that are read or filled now, and come free when that ends.",
  }),
}).openapi("Removed");
export type RemovedAnswer = z.infer<typeof removedSchema>;

/** The result of the job that removes much. */
export const removedByJobSchema = z
  .object({
    names: z.number(),
    repositories: z.number(),
    blobs: z.number(),
    freed: bytes,
    later: bytes,
    kept: z.array(z.object({ name: z.string(), rule: z.string() })),
    more: z.number().openapi({ description: "Names that stay and are not among those." }),
  })
  .openapi("RemovedByJob");

const begunSchema = z.object({ job: jobSchema });
export const removeAnswerSchema = z.union([begunSchema, removedSchema]);

const remove = createRoute({
  method: "post",
  path: "/api/v1/contents/remove",
  tags: ["contents"],
  summary: "Remove what a pattern stands for; blobs that others share stay",
  request: {
    query: changeQuery,
    body: body({
      pattern,
      unusedFor: durationText().optional().openapi({ type: "string", example: "90d" }),
      force: z.boolean().default(false).openapi({ description: "Also what a keep rule stands for." }),
    }),
  },
  responses: answers(removeAnswerSchema, "What was removed; of much, the job that removes it."),
});

const madeRoomSchema = changed({
  freed: bytes,
  isLess: z.boolean(),
  next: z.array(
    z.object({
      kind: z.enum(["blob", "partial", "damaged"]),
      what: z.string(),
      size: bytes,
      usedAt: time.optional(),
      names: z.array(z.string()),
    }),
  ),
  more: z.number(),
}).openapi("MadeRoom");
export type MadeRoomAnswer = z.infer<typeof madeRoomSchema>;

/** The result of the job that makes much room. */
export const evictedByJobSchema = z
  .object({ freed: bytes, things: z.number(), isLess: z.boolean() })
  .openapi("EvictedByJob");

export const evictAnswerSchema = z.union([begunSchema, madeRoomSchema]);

const evict = createRoute({
  method: "post",
  path: "/api/v1/contents/evict",
  tags: ["contents"],
  summary: "Let go what was used longest ago, until so many bytes came free",
  request: {
    query: changeQuery,
    body: body({ free: sizeText().openapi({ type: "string", example: "50GiB" }) }),
  },
  responses: answers(evictAnswerSchema, "What went, or would go next, in order; of much, the job."),
});

export function removingRoutes(
  app: AdminApp,
  { contents, jobs, warmUps }: Pick<AdminParts, "contents" | "jobs" | "warmUps">,
): void {
  /** What takes a moment is no job, and contradicts those that run all the same. */
  const refuse = (kind: string, input: unknown) => {
    const sentence = contradictionOf({ kind, input }, jobs.list(), warmUps.upstreams());
    if (sentence !== undefined) throw new GranaryError("conflict", sentence, { saysWhatToDo: true });
  };
  app.openapi(remove, async (context) => {
    const { unusedFor, force, ...asked } = context.req.valid("json");
    const { text: pattern } = await contents.meaning(asked.pattern);
    const { dryRun } = context.req.valid("query");
    const ask = { pattern, force, ...(unusedFor !== undefined && { unusedForMs: unusedFor }) };
    refuse(REMOVE_JOB, ask);
    if (!dryRun && (await contents.isMuchToRemove(pattern)))
      return context.json({ job: shownJob(jobs.start(REMOVE_JOB, ask, titleOfRemove(ask))) }, 200);
    const { repositories, kept, ...sums } = await contents.remove(asked.pattern, {
      unusedForMs: unusedFor,
      force,
      dryRun,
    });
    const removed = repositories.map((each) => ({
      ...each,
      tags: [...each.tags],
      manifests: [...each.manifests],
    }));
    return context.json({ repositories: removed, kept: [...kept], ...sums, ...tried(dryRun) }, 200);
  });
  app.openapi(evict, async (context) => {
    const { dryRun } = context.req.valid("query");
    const { free } = context.req.valid("json");
    if (!dryRun) refuse(EVICT_JOB, { free });
    if (!dryRun && (await contents.isMuchToEvict(free)))
      return context.json({ job: shownJob(jobs.start(EVICT_JOB, { free }, titleOfEvict({ free }))) }, 200);
    const { next, ...sums } = await contents.evict(free, dryRun);
    const victims = next.map((victim) => ({ ...victim, names: [...victim.names] }));
    return context.json({ ...sums, next: victims, ...tried(dryRun) }, 200);
  });
}
