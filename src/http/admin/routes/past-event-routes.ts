/** Owns `GET /api/v1/events/past`: the last few thousand events that are kept. Those that happen now come by the stream of events. */
import { createRoute, z } from "@hono/zod-openapi";
import type { FleetRecords, NodeEvent } from "../../../fleet/records/fleet-records.ts";
import { EVENT_KINDS, type ToldEvent } from "../../../records/event.ts";
import type { Records } from "../../../records/records.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, listOf } from "../route-shapes.ts";
import { askedFleet, fleetQuery, heardSchema, shownHeard } from "./fleet-query.ts";
import { listPlace } from "./page.ts";

export const eventSchema = z
  .object({
    id: z.number().int().openapi({ description: "Grows with each event of a node, also over restarts." }),
    node: z.string().optional().openapi({ description: "Where it happened; where a fleet was asked." }),
    at: z.number().openapi({ description: "Milliseconds since 1970." }),
    kind: z.string().openapi({
      description: `One of ${EVENT_KINDS.join(", ")}; of a node of a newer version perhaps another.`,
    }),
    text: z.string().openapi({ description: "One sentence for people." }),
    facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).openapi({
      description: "The same for programs: upstream, repository, client and what else is known.",
    }),
  })
  .openapi("Event");

export const eventsSchema = listOf(eventSchema).extend({
  fleet: heardSchema
    .extend({ seen: z.string().openapi({ description: "For `since`: what came after this answer." }) })
    .optional(),
});

type EventsAnswer = z.infer<typeof eventsSchema>;

/** Of a fleet it names each node: some fifty with long names. */
const place = z.string().max(8_192).optional();

const eventsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  after: place.openapi({ description: "The `next` of the page before." }),
  kind: z.enum(EVENT_KINDS).optional(),
  since: place.openapi({
    description:
      "Only events after the one with this id, as far as they are in memory, oldest first; of a fleet: after `fleet.seen`.",
  }),
  ...fleetQuery,
});

type EventsQuery = z.infer<typeof eventsQuery>;

const getEvents = createRoute({
  method: "get",
  path: "/api/v1/events/past",
  tags: ["records"],
  summary: "What happened, newest first, here or at all nodes of the fleet",
  request: { query: eventsQuery },
  responses: answers(eventsSchema, "Events that are kept, newest first."),
});

export function pastEventRoutes(
  app: AdminApp,
  { records, fleetRecords }: Pick<AdminParts, "records" | "fleetRecords">,
): void {
  app.openapi(getEvents, async (context) => {
    const query = context.req.valid("query");
    const fleet = askedFleet(fleetRecords, query);
    const answer = fleet === undefined ? ownEvents(records, query) : await fleetEvents(fleet, query);
    return context.json(answer, 200);
  });
}

function ownEvents({ events }: Pick<Records, "events">, query: EventsQuery): EventsAnswer {
  const { limit, after, kind, since } = query;
  if (since !== undefined) {
    const recent = events
      .since(listPlace(since, 0, "since"))
      .filter((event) => kind === undefined || event.kind === kind);
    return { items: recent.slice(0, limit).map(shown) };
  }
  const before = listPlace(after, Number.MAX_SAFE_INTEGER);
  const found = events.past({ before, limit: limit + 1, ...(kind !== undefined && { kind }) });
  const items = found.slice(0, limit).map(shown);
  const last = items.at(-1);
  const more = found.length > limit && last !== undefined ? { next: String(last.id) } : {};
  return { items, ...more };
}

async function fleetEvents(fleet: FleetRecords, query: EventsQuery): Promise<EventsAnswer> {
  const { node, kind, limit, after: before, since } = query;
  const { items, next, seen, heard } = await fleet.events({ node, kind, limit, before, since });
  const more = next === undefined ? {} : { next };
  return { items: items.map(shown), ...more, fleet: { ...shownHeard(heard), seen } };
}

function shown(event: ToldEvent | NodeEvent): EventsAnswer["items"][number] {
  return { ...event };
}
