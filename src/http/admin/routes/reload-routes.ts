/** Owns `POST /api/v1/settings/reload`: the settings of this process are read again, and the answer says what came of it. */
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

export function reloadRoutes(app: AdminApp, { settings }: Pick<AdminParts, "settings">): void {
  app.openapi(reload, async (context) => {
    const { dryRun } = context.req.valid("query");
    const { applied, needRestart, notes, problems } = await settings.reload(dryRun);
    const lists = { applied: [...applied], needRestart: [...needRestart] };
    const answer = { ...lists, notes: [...notes], problems: [...problems] };
    return context.json(dryRun ? { ...answer, dryRun } : answer, 200);
  });
}
