/** Owns the routes of keep rules: which there are, how one is made and taken back. */
import { createRoute, z } from "@hono/zod-openapi";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, changed, changeQuery } from "../route-shapes.ts";

const bytes = z.number().int().nonnegative();

const rule = {
  pattern: z.string(),
  from: z
    .enum(["settings", "command"])
    .openapi({ description: "Rules of the settings are taken back there." }),
  madeAt: z.number().optional().openapi({ description: "Milliseconds since 1970." }),
  names: z.number().openapi({ description: "Tags, and manifests without one, that it stands for now." }),
  size: bytes.openapi({ description: "Bytes of whole blobs of it that are here." }),
  partial: bytes,
  wanted: bytes.openapi({ description: "Bytes of all that it stands for." }),
};

export const keepRulesSchema = z.object({ rules: z.array(z.object(rule).openapi("KeepRule")) });
export const keepChangeSchema = changed(rule).openapi("KeepChange");
export type KeepRulesAnswer = z.infer<typeof keepRulesSchema>;
export type KeepChange = z.infer<typeof keepChangeSchema>;

const asked = z.strictObject({ pattern: z.string().min(1).max(800) });
const body = { content: { "application/json": { schema: asked } }, required: true };
const common = { path: "/api/v1/keep", tags: ["rules"] };

const list = createRoute({
  ...common,
  method: "get",
  summary: "What is never evicted",
  responses: answers(keepRulesSchema, "All keep rules, those of the settings first."),
});

const keep = createRoute({
  ...common,
  method: "post",
  summary: "Keep what a pattern stands for, now and in the future",
  request: { query: changeQuery, body },
  responses: answers(keepChangeSchema, "The rule that was made."),
});

const unkeep = createRoute({
  ...common,
  method: "delete",
  summary: "Take a keep rule back",
  request: { query: changeQuery.extend({ pattern: asked.shape.pattern }) },
  responses: answers(keepChangeSchema, "The rule that was taken back."),
});

export function keepRoutes(app: AdminApp, { contents }: Pick<AdminParts, "contents">): void {
  app.openapi(list, async (context) => context.json({ rules: [...(await contents.keepRules())] }, 200));
  app.openapi(keep, async (context) => {
    const { dryRun } = context.req.valid("query");
    const made = await contents.keep(context.req.valid("json").pattern, dryRun);
    return context.json({ ...made, ...(dryRun && { dryRun: true as const }) }, 200);
  });
  app.openapi(unkeep, async (context) => {
    const { dryRun, pattern } = context.req.valid("query");
    const taken = await contents.unkeep(pattern, dryRun);
    return context.json({ ...taken, ...(dryRun && { dryRun: true as const }) }, 200);
  });
}
