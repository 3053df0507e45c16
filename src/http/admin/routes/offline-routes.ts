/** Owns `/api/v1/offline`: which upstreams are set offline by a person, and setting them so and back. */
import { createRoute, z } from "@hono/zod-openapi";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, changed, changeQuery } from "../route-shapes.ts";

const offlineUpstream = z.object({
  upstream: z.string(),
  since: z.number().openapi({ description: "Milliseconds since 1970." }),
});

export const offlineSchema = z.object({ offline: z.array(offlineUpstream) }).openapi("Offline");

export const offlineChangeSchema = changed({
  changed: z.array(z.string()).openapi({ description: "The upstreams for which that changed something." }),
  offline: z.array(offlineUpstream).openapi({ description: "Those that are offline now." }),
}).openapi("OfflineChange");

const getOffline = createRoute({
  method: "get",
  path: "/api/v1/offline",
  tags: ["upstreams"],
  summary: "Which upstreams are set offline",
  responses: answers(offlineSchema, "Those of which nothing is asked until they are set back."),
});

const setOffline = createRoute({
  method: "post",
  path: "/api/v1/offline",
  tags: ["upstreams"],
  summary: "Set one upstream, or all, offline or back",
  request: {
    query: changeQuery,
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z.strictObject({
            offline: z.boolean(),
            upstream: z
              .string()
              .min(1)
              .max(255)
              .optional()
              .openapi({ description: "All of them where none is named." }),
          }),
        },
      },
    },
  },
  responses: answers(offlineChangeSchema, "What was changed; it lasts over a restart."),
});

export function offlineRoutes(app: AdminApp, { offline }: Pick<AdminParts, "offline">): void {
  app.openapi(getOffline, async (context) => context.json({ offline: [...offline.list()] }, 200));
  app.openapi(setOffline, async (context) => {
    const { dryRun } = context.req.valid("query");
    const { offline: isOffline, upstream } = context.req.valid("json");
    const answer = {
      changed: [...(await offline.set(isOffline, upstream, dryRun))],
      offline: [...offline.list()],
    };
    return context.json(dryRun ? { ...answer, dryRun } : answer, 200);
  });
}
