/** Owns `GET /api/v1/troubles`: the last failures by their cause, each with what to do about it. Which cause is what is decided in records/. */
import { createRoute, z } from "@hono/zod-openapi";
import { CAUSE_NAMES } from "../../../records/cause-advice.ts";
import { type TroubleGroup, troublesSince } from "../../../records/troubles.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, listOf } from "../route-shapes.ts";
import { listPage } from "./page.ts";
import { eventSchema } from "./past-event-routes.ts";

const DAY_MS = 86_400_000;
const count = z.number().int().nonnegative();
const time = z.number().openapi({ description: "Milliseconds since 1970." });

const troubleSchema = z
  .object({
    cause: z.enum(CAUSE_NAMES).openapi({
      description:
        "The code of the error (docs/architecture.md lists them), or refused-here: this Granary does not allow it; set-offline: a person set the upstream offline; unknown.",
    }),
    upstream: z.string().optional().openapi({ description: "Where the cause is about one upstream." }),
    title: z.string().openapi({ description: "A sentence for people, without a full stop." }),
    todo: z.string().openapi({ description: "What to do about it: one or two sentences." }),
    command: z.string().optional().openapi({ description: "A command line that helps." }),
    times: count.openapi({
      description: "How often it was told of: pulls, transfers, jobs, and the upstream itself.",
    }),
    pulls: count.openapi({ description: "How many of these are pulls that failed." }),
    firstAt: time,
    lastAt: time,
    overAt: time.optional().openapi({
      description: "Since when it is over, where something said so after the last failure.",
    }),
    newest: z.array(eventSchema).openapi({ description: "The newest five, newest first." }),
  })
  .openapi("Trouble");

const troublesSchema = listOf(troubleSchema);

const troublesQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  after: z.string().max(20).optional().openapi({ description: "The `next` of the page before." }),
  days: z.coerce.number().int().min(1).max(36_500).default(7).openapi({
    description: "Failures of the last so many times 24 hours, as far as their events are kept.",
  }),
});

const getTroubles = createRoute({
  method: "get",
  path: "/api/v1/troubles",
  tags: ["records"],
  summary: "The last failures by their cause, each with what to do about it",
  request: { query: troublesQuery },
  responses: answers(troublesSchema, "Causes, the one that was seen last first."),
});

export function troubleRoutes(
  app: AdminApp,
  { records, clock }: Pick<AdminParts, "records" | "clock">,
): void {
  app.openapi(getTroubles, async (context) => {
    const { limit, after, days } = context.req.valid("query");
    const since = clock.now() - days * DAY_MS;
    const found = await troublesSince({ events: records.events, clock }, since);
    const { items, ...more } = listPage(found, limit, after);
    return context.json({ items: items.map(shown), ...more }, 200);
  });
}

function shown({ newest, ...group }: TroubleGroup) {
  return { ...group, newest: newest.map((event) => ({ ...event, facts: { ...event.facts } })) };
}
