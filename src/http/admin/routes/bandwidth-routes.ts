/** Owns `/api/v1/bandwidth`: the limits that hold, what flows, and limits for a while. */
import { createRoute, z } from "@hono/zod-openapi";
import type { TemporaryLimit } from "../../../mirror/rules/line-limits.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, changed, changeQuery } from "../route-shapes.ts";

const rate = z.number().nonnegative().openapi({ description: "Bytes per second." });
const byUpstream = z.record(z.string(), rate);
const temporary = z.object({
  upstream: z.string().optional().openapi({ description: "All together where none is named." }),
  bytesPerSecond: rate.optional().openapi({ description: "No limit where it is left out." }),
  until: z
    .number()
    .optional()
    .openapi({ description: "Milliseconds since 1970; until it is taken back where it is left out." }),
});

export const bandwidthSchema = z
  .object({
    total: rate.optional().openapi({ description: "Left out where there is no limit." }),
    upstreams: byUpstream,
    temporary: z
      .array(temporary)
      .openapi({ description: "What was set by command; it wins over the settings." }),
    flows: byUpstream.openapi({ description: "What comes from each upstream now." }),
  })
  .openapi("Bandwidth");

export const bandwidthChangeSchema = changed({
  set: z.array(temporary),
  takenBack: z.array(temporary),
}).openapi("BandwidthChange");

const get = createRoute({
  method: "get",
  path: "/api/v1/bandwidth",
  tags: ["upstreams"],
  summary: "The limits of bandwidth, and what flows",
  responses: answers(bandwidthSchema, "What holds now."),
});

const change = createRoute({
  method: "post",
  path: "/api/v1/bandwidth",
  tags: ["upstreams"],
  summary: "Limit bandwidth for a while, or take that back",
  request: {
    query: changeQuery,
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z.strictObject({
            limit: z.union([z.number().int().min(1), z.enum(["unlimited", "off"])]).openapi({
              description: "Bytes per second; off takes back what was set by command.",
            }),
            upstream: z.string().min(1).max(255).optional(),
            forMs: z
              .number()
              .int()
              .min(1_000)
              .max(366 * 86_400_000)
              .optional(),
          }),
        },
      },
    },
  },
  responses: answers(bandwidthChangeSchema, "What was set or taken back."),
});

export function bandwidthRoutes(app: AdminApp, { bandwidth }: Pick<AdminParts, "bandwidth">): void {
  app.openapi(get, async (context) => {
    const { total, upstreams, temporary, flows } = bandwidth.status();
    const answer = {
      upstreams: Object.fromEntries(upstreams),
      temporary: temporary.map(shown),
      flows: Object.fromEntries(flows),
    };
    return context.json(total === undefined ? answer : { total, ...answer }, 200);
  });
  app.openapi(change, async (context) => {
    const { dryRun } = context.req.valid("query");
    const { limit, upstream, forMs } = context.req.valid("json");
    const takenBack = limit === "off" ? (await bandwidth.takeBack(upstream, dryRun)).map(shown) : [];
    const rate = limit === "unlimited" ? Number.POSITIVE_INFINITY : limit;
    const set = rate === "off" ? [] : [shown(await bandwidth.set(rate, { upstream, forMs }, dryRun))];
    const answer = { set, takenBack };
    return context.json(dryRun ? { ...answer, dryRun } : answer, 200);
  });
}

function shown({ upstream, bytesPerSecond, until }: TemporaryLimit): z.infer<typeof temporary> {
  return {
    ...(upstream !== undefined && { upstream }),
    ...(Number.isFinite(bytesPerSecond) && { bytesPerSecond }),
    ...(until !== undefined && { until }),
  };
}
