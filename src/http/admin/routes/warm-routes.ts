/** Owns `/api/v1/warm`: the warm-ups of the settings, and images and models that are brought in now, or only told what that would fetch. */
import { createRoute, z } from "@hono/zod-openapi";
import { GranaryError } from "../../../errors.ts";
import { parsePattern } from "../../../routing/name-pattern.ts";
import type { RoutedUpstream } from "../../../routing/routing.ts";
import { parseWarmAsk, titleOf, type WarmAsk } from "../../../warm/warm-ask.ts";
import { referencesOf } from "../../../warm/warm-file.ts";
import { WARM_JOB } from "../../../warm/warm-job.ts";
import type { WarmPreview } from "../../../warm/warm-preview.ts";
import type { WarmUp } from "../../../warm/warm-ups.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, changeQuery } from "../route-shapes.ts";
import { jobSchema, shownJob } from "./jobs-routes.ts";

const bytes = z.number().openapi({ description: "Bytes." });

const previewSchema = z.object({
  lines: z.array(
    z.object({
      reference: z.string(),
      outcome: z.enum(["here", "fetch", "failed"]),
      toFetch: bytes,
      here: bytes,
      reason: z.string().optional(),
    }),
  ),
  leftOut: z.number().openapi({ description: "Lines that are not among them." }),
  bytes: z.object({ toFetch: bytes, here: bytes }),
  pulls: z
    .array(
      z.object({
        upstream: z.string(),
        manifests: z.number(),
        limit: z.number().optional(),
        remaining: z.number().optional(),
      }),
    )
    .openapi({ description: "Manifests that were fetched to tell this, and what registries still allow." }),
  budget: bytes,
});

/** Lines of what a warm-up brought; the result of its job. */
export const warmResultSchema = z
  .object({
    lines: z.array(
      z.object({
        reference: z.string(),
        outcome: z.enum(["here", "brought", "failed"]),
        digest: z.string().optional(),
        brought: bytes,
        here: bytes,
        isPrivate: z.boolean().optional(),
        reason: z.string().optional(),
      }),
    ),
    leftOut: z.number(),
    counts: z.object({ here: z.number(), brought: z.number(), failed: z.number() }),
    bytes: z.object({ brought: bytes, here: bytes }),
  })
  .openapi("WarmResult");

export const warmAnswerSchema = z
  .union([z.object({ job: jobSchema }), z.object({ preview: previewSchema, dryRun: z.literal(true) })])
  .openapi("Warm");

export const warmUpsSchema = z
  .object({
    items: z.array(
      z.object({
        name: z.string(),
        references: z.array(z.string()),
        platforms: z.array(z.string()),
        schedule: z.string().optional(),
        movedEveryMs: z.number().optional(),
        dueAt: z.number().optional().openapi({ description: "Milliseconds since 1970." }),
        last: z.object({ id: z.number(), state: z.string(), startedAt: z.number() }).optional(),
      }),
    ),
  })
  .openapi("WarmUps");

export type WarmAnswer = z.infer<typeof warmAnswerSchema>;
export type WarmUpsAnswer = z.infer<typeof warmUpsSchema>;

const askSchema = z.strictObject({
  references: z.array(z.string().max(1_000)).max(5_000).optional(),
  file: z.string().optional().openapi({ description: "The content of a file of references, one a line." }),
  list: z.string().max(100).optional().openapi({ description: "A warm-up of the settings, by its name." }),
  platforms: z.array(z.string().max(100)).max(32).optional(),
  attestations: z.boolean().optional(),
});

const listWarmUps = createRoute({
  method: "get",
  path: "/api/v1/warm",
  tags: ["jobs"],
  summary: "The warm-ups of the settings, and when they come next",
  responses: answers(warmUpsSchema, "All of them."),
});

const warm = createRoute({
  method: "post",
  path: "/api/v1/warm",
  tags: ["jobs"],
  summary: "Bring images and models in",
  request: {
    query: changeQuery,
    body: { required: true, content: { "application/json": { schema: askSchema } } },
  },
  responses: answers(warmAnswerSchema, "The job; with dryRun what it would fetch."),
});

export function warmRoutes(
  app: AdminApp,
  { contents, jobs, warmUps }: Pick<AdminParts, "contents" | "jobs" | "warmUps">,
): void {
  app.openapi(listWarmUps, (context) => context.json({ items: warmUps.list().map(shownWarmUp) }, 200));
  app.openapi(warm, async (context) => {
    const { dryRun } = context.req.valid("query");
    const ask = await askOf(context.req.valid("json"), { contents, warmUps });
    if (dryRun) {
      const preview = await warmUps.preview(ask, context.req.raw.signal);
      return context.json({ preview: shownPreview(preview), dryRun }, 200);
    }
    return context.json({ job: shownJob(jobs.start(WARM_JOB, ask, titleOf(ask))) }, 200);
  });
}

async function askOf(
  asked: z.infer<typeof askSchema>,
  { contents, warmUps }: Pick<AdminParts, "contents" | "warmUps">,
): Promise<WarmAsk> {
  const { list, file, references = [], platforms, attestations } = asked;
  if (list !== undefined) {
    if (file !== undefined || references.length > 0)
      throw new GranaryError("config-invalid", "Name either a list of the settings, or images and models.");
    const found = warmUps.askOf(list);
    if (found === undefined) throw noList(list, warmUps);
    return { ...found, ...(platforms !== undefined && { platforms }) };
  }
  const upstreams = [...warmUps.upstreams()];
  const all = [...references, ...(file === undefined ? [] : referencesOf(file, upstreams))];
  // What is no reference at all is said before anything is looked up.
  const ask = parseWarmAsk({ references: all, platforms, attestations }, upstreams);
  const meant = await Promise.all(ask.references.map((text) => asStored(text, upstreams, contents)));
  return { ...ask, references: meant };
}

/** As it was written, unless what is stored under such a short name makes it another one than it is by itself. */
async function asStored(
  text: string,
  upstreams: readonly RoutedUpstream[],
  contents: AdminParts["contents"],
): Promise<string> {
  const meaning = await contents.meaning(text);
  return meaning.text === parsePattern(text, upstreams).text ? text : meaning.text;
}

function noList(list: string, warmUps: AdminParts["warmUps"]): GranaryError {
  const names = warmUps.list().map(({ name }) => name);
  const there = names.length === 0 ? "the settings name none" : `there are: ${names.slice(0, 20).join(", ")}`;
  return new GranaryError("not-found", `There is no warm-up "${list}"; ${there}.`);
}

function shownWarmUp({ references, platforms, last, attestations: _, ...rest }: WarmUp) {
  const job = last && { id: last.id, state: last.state, startedAt: last.startedAt };
  return { ...rest, references: [...references], platforms: [...platforms], ...(job && { last: job }) };
}

function shownPreview({ lines, pulls, ...sums }: WarmPreview) {
  return { ...sums, lines: [...lines], pulls: [...pulls] };
}
