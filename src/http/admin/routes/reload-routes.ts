/** Owns the settings on the admin face: what they say, without secrets, and reading them again. */
import { createRoute, z } from "@hono/zod-openapi";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, changed, changeQuery } from "../route-shapes.ts";

const changeSchema = z.object({
  key: z.string().openapi({ description: "As in the configuration file, never with its value." }),
  change: z.enum(["added", "removed", "changed"]),
});

export const reloadSchema = changed({
  applied: z.array(changeSchema).openapi({ description: "What is in use from now on." }),
  needRestart: z.array(changeSchema).openapi({ description: "What has no effect until a restart." }),
  notes: z.array(z.string()),
  problems: z
    .array(z.string())
    .openapi({ description: "Files that cannot be used now: what they held before stays in use." }),
}).openapi("Reload");

export type ReloadAnswer = z.infer<typeof reloadSchema>;

const reload = createRoute({
  method: "post",
  path: "/api/v1/settings/reload",
  tags: ["settings"],
  summary: "Use what the settings say now, as far as that needs no restart",
  request: { query: changeQuery },
  responses: answers(
    reloadSchema,
    "What was taken. When anything cannot be used, the error says why and nothing is changed.",
  ),
});

export const settingsSchema = z
  .object({
    settings: z
      .record(z.string(), z.unknown())
      .openapi({ description: "Without passwords, tokens and keys." }),
    needRestart: z.array(z.string()).openapi({ description: "Keys that are without effect until then." }),
  })
  .openapi("Settings");

const show = createRoute({
  method: "get",
  path: "/api/v1/settings",
  tags: ["settings"],
  summary: "What the settings say, as they were read last, without secrets",
  responses: answers(settingsSchema, "All of them, with defaults filled in."),
});

export function reloadRoutes(app: AdminApp, { settings }: Pick<AdminParts, "settings">): void {
  app.openapi(show, (context) => {
    const { settings: all, needRestart } = settings.shown();
    return context.json({ settings: { ...all }, needRestart: [...needRestart] }, 200);
  });
  app.openapi(reload, async (context) => {
    const { dryRun } = context.req.valid("query");
    const { applied, needRestart, notes, problems } = await settings.reload(dryRun);
    const lists = { applied: [...applied], needRestart: [...needRestart] };
    const answer = { ...lists, notes: [...notes], problems: [...problems] };
    return context.json(dryRun ? { ...answer, dryRun } : answer, 200);
  });
}
