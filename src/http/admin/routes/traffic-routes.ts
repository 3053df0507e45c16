/** Owns `GET /api/v1/traffic`: how much was served, fetched and saved, by time, by name or by client. It adds up nothing itself. */
import { createRoute, z } from "@hono/zod-openapi";
import type { FleetRecords, FleetSums, Heard } from "../../../fleet/records/fleet-records.ts";
import { isPeriod } from "../../../records/named-sums.ts";
import type { Records } from "../../../records/records.ts";
import type { TrafficTotals } from "../../../records/traffic.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { TRAFFIC_GROUPS } from "../query-words.ts";
import { answers, flag } from "../route-shapes.ts";
import { alone } from "./alone.ts";
import { askedFleet, fleetQuery, heardSchema, shownHeard } from "./fleet-query.ts";
import { listPage } from "./page.ts";
import { minuteSchema } from "./status-shapes.ts";

const SORTS = ["served", "fetched", "saved", "pulls", "name"] as const;
const MOST_DAYS = 36_500;
/** Periods without traffic are made, not read: they are as many as one page can have. */
const MOST_PERIODS = 1_000;

const count = z.number().int();

const sums = {
  served: count.openapi({ description: "Body bytes sent to clients." }),
  fetched: count.openapi({ description: "Body bytes received from upstreams." }),
  saved: count.openapi({
    description: "served - fetched: negative where more was fetched than served until now.",
  }),
  pulls: count,
  hits: count.openapi({ description: "Manifests and blobs that were answered from what was stored." }),
  misses: count.openapi({ description: "Those for which bytes had to come from an upstream." }),
};

export const trafficSchema = z
  .object({
    by: z.enum(TRAFFIC_GROUPS),
    items: z.array(
      z.object({
        name: z.string().openapi({
          description:
            "An hour (2026-11-28T14), day or month in the time zone of the server; an upstream, a repository with its upstream, an address, or a node of the fleet. (others): names beyond a number, and those that do not exist.",
        }),
        ...sums,
        nodes: z
          .array(z.string())
          .optional()
          .openapi({ description: "Those that had a part in it; where a fleet was asked." }),
      }),
    ),
    next: z.string().optional(),
    today: z.object(sums),
    all: z.object({
      ...sums,
      since: z.string().optional().openapi({ description: "The first day that was counted." }),
    }),
    fleet: heardSchema.optional(),
  })
  .openapi("Traffic");

export type TrafficAnswer = z.infer<typeof trafficSchema>;

const trafficQuery = z.object({
  by: z
    .enum(TRAFFIC_GROUPS)
    .default("day")
    .openapi({ description: "What a row is of. By node: always of the whole fleet." }),
  days: z.coerce
    .number()
    .int()
    .min(1)
    .max(MOST_DAYS)
    .optional()
    .openapi({ description: "Only the last so many days, today is one of them." }),
  upstream: z.string().max(512).optional(),
  repository: z
    .string()
    .max(512)
    .optional()
    .openapi({ description: "Without its upstream: library/alpine. Not with by=client." }),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  after: z.string().max(20).optional().openapi({ description: "The `next` of the page before." }),
  empty: flag.default(false).openapi({
    description: `Of hours, days and months also those without traffic, from the first of \`days\` until now: at most the newest ${MOST_PERIODS}.`,
  }),
  sort: z.enum(SORTS).optional().openapi({ description: "Times: newest first. Names: most served first." }),
  search: z.string().max(512).optional().openapi({ description: "What names must contain." }),
  ...fleetQuery,
});

type TrafficQuery = z.infer<typeof trafficQuery>;

const getTraffic = createRoute({
  method: "get",
  path: "/api/v1/traffic",
  tags: ["records"],
  summary: "How much was served, fetched and saved, here or by all nodes of the fleet",
  request: { query: trafficQuery },
  responses: answers(trafficSchema, "Sums, and those of today and of all time."),
});

const getMinutes = createRoute({
  method: "get",
  path: "/api/v1/traffic/minutes",
  tags: ["records"],
  summary: "The minutes of the last hour",
  responses: answers(
    z.object({
      items: z.array(minuteSchema),
    }),
    "Minutes that had traffic, the oldest first; since the start of this process.",
  ),
});

export function trafficRoutes(
  app: AdminApp,
  { records, fleetRecords }: Pick<AdminParts, "records" | "fleetRecords">,
): void {
  app.openapi(getTraffic, async (context) => {
    const query = context.req.valid("query");
    const { by, days, limit, after, sort, search, empty } = query;
    const since = days === undefined ? undefined : records.traffic.firstOfLast(days);
    const { rows, totals, heard } = await foundFor(query, since, records, fleetRecords);
    const first = since ?? totals.all.since;
    const found = empty && isPeriod(by) ? records.traffic.withEmpty(rows, by, first, MOST_PERIODS) : rows;
    const items = found.filter(({ name }) => search === undefined || name.includes(search));
    if (sort === "name") items.sort((a, b) => Number(a.name > b.name) - Number(a.name < b.name));
    else if (sort !== undefined) items.sort((a, b) => b[sort] - a[sort]);
    const fleet = heard === undefined ? {} : { fleet: shownHeard(heard) };
    return context.json({ by, ...listPage(items.map(shown), limit, after), ...totals, ...fleet }, 200);
  });
  app.openapi(getMinutes, (context) => {
    const items = records.traffic.minutes().map((minute) => ({ ...minute }));
    return context.json({ items }, 200);
  });
}

type Found = {
  readonly rows: readonly FleetSums[];
  readonly totals: TrafficTotals;
  readonly heard?: Heard;
};

/** Of this node, or of the fleet. `since`: a day. */
async function foundFor(
  { by, upstream, repository, search, fleet, node }: TrafficQuery,
  since: string | undefined,
  { traffic }: Pick<Records, "traffic">,
  fleetRecords: FleetRecords | undefined,
): Promise<Found> {
  const all = askedFleet(fleetRecords, { fleet: fleet || by === "node", node });
  if (all !== undefined) return await all.traffic({ by, upstream, repository, since, search, node });
  if (by === "node") throw alone();
  return { rows: await traffic.find({ by, upstream, repository, since }), totals: traffic.totals() };
}

function shown({ nodes, ...sums }: FleetSums): TrafficAnswer["items"][number] {
  return nodes === undefined ? sums : { ...sums, nodes: [...nodes] };
}
