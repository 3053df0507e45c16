/** Owns `GET /api/v1/events/past`: the last few thousand events that are kept. Those that happen now come by the stream of events. */
import { createRoute, z } from "@hono/zod-openapi";
import { EVENT_KINDS } from "../../../records/event.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, listOf } from "../route-shapes.ts";
import { listPlace } from "./page.ts";

export const eventSchema = z
  .object({
    id: z.number().int().openapi({ description: "Grows with each event, also over restarts." }),
    at: z.number().openapi({ description: "Milliseconds since 1970." }),
    kind: z.enum(EVENT_KINDS),
    text: z.string().openapi({ description: "One sentence for people." }),
    facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).openapi({
      description: "The same for programs: upstream, repository, client and what else is known.",
    }),
  })
  .openapi("Event");

export const eventsSchema = listOf(eventSchema);

const eventsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  after: z.string().max(20).optional().openapi({ description: "The `next` of the page before." }),
  kind: z.enum(EVENT_KINDS).optional(),
  since: z.coerce.number().int().nonnegative().optional().openapi({
    description: "Only events after the one with this id, as far as they are in memory, oldest first.",
  }),
});

const getEvents = createRoute({
  method: "get",
  path: "/api/v1/events/past",
  tags: ["records"],
  summary: "What happened, newest first",
  request: { query: eventsQuery },
  responses: answers(eventsSchema, "Events that are kept, newest first."),
});

export function pastEventRoutes(app: AdminApp, { records: { events } }: Pick<AdminParts, "records">): void {
  app.openapi(getEvents, (context) => {
    const { limit, after, kind, since } = context.req.valid("query");
    if (since !== undefined) {
      const recent = events.since(since).filter((event) => kind === undefined || event.kind === kind);
      return context.json({ items: recent.slice(0, limit) }, 200);
    }
    const before = listPlace(after, Number.MAX_SAFE_INTEGER);
    const found = events.past({ before, limit: limit + 1, ...(kind !== undefined && { kind }) });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    const more = found.length > limit && last !== undefined ? { next: String(last.id) } : {};
    return context.json({ items, ...more }, 200);
  });
}
