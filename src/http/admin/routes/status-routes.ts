/** Owns `GET /api/v1/status`: what is happening now, in one answer. It computes nothing of its own. */
import { createRoute, z } from "@hono/zod-openapi";
import type { MirrorStatus } from "../../../mirror/mirror.ts";
import { fewOf } from "../../../records/clients.ts";
import type { Records } from "../../../records/records.ts";
import { version } from "../../../version.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers } from "../route-shapes.ts";
import { fleetBriefSchema } from "./fleet-shapes.ts";
import {
  clientSchema,
  diskSchema,
  fillSchema,
  minuteSchema,
  pullSchema,
  sumsSchema,
  time,
  upstreamSchema,
} from "./status-shapes.ts";

export const statusSchema = z
  .object({
    version: z.string(),
    startedAt: time,
    now: time,
    fills: z.array(fillSchema),
    upstreams: z.array(upstreamSchema),
    disk: diskSchema,
    blobs: z.number(),
    manifests: z.number(),
    pins: z.number(),
    pulls: z.array(pullSchema).openapi({ description: "The newest hundred that go on." }),
    clients: z.array(clientSchema).openapi({
      description:
        "Those that asked last, and those that came in first most recently: forty at most. /api/v1/clients lists all.",
    }),
    traffic: z.object({
      today: sumsSchema,
      all: sumsSchema,
      minutes: z.array(minuteSchema).openapi({
        description:
          "The last two minutes that had traffic, the oldest first: what changed in /api/v1/traffic/minutes.",
      }),
    }),
    fleet: fleetBriefSchema
      .optional()
      .openapi({ description: "On a node of a fleet: in a few words what /api/v1/fleet tells." }),
    troubles: z.array(z.string()).openapi({ description: "What is wrong, each with what to do about it." }),
  })
  .openapi("Status");

export type Status = z.infer<typeof statusSchema>;

const getStatus = createRoute({
  method: "get",
  path: "/api/v1/status",
  tags: ["status"],
  summary: "What is happening now",
  responses: answers(statusSchema, "What is happening now."),
});

type StatusParts = Pick<AdminParts, "mirror" | "records" | "fleet" | "clock" | "startedAt">;

export function statusRoutes(app: AdminApp, parts: StatusParts): void {
  app.openapi(getStatus, async (context) => context.json(await statusOf(parts), 200));
}

const MOST_PULLS = 100;
const MOST_CLIENTS = 40;
/** What flows between two snapshots may belong to the minute of either. */
const CHANGING_MINUTES = 2;

/** What the route answers, and what listeners to events get each second. */
export async function statusOf({ mirror, records, fleet, clock, startedAt }: StatusParts) {
  const [{ fills, upstreams, troubles, disk, ...sums }, brief] = await Promise.all([
    mirror.status(),
    fleet?.brief(),
  ]);
  const { today, all } = records.traffic.totals();
  const minutes = records.traffic.minutes().slice(-CHANGING_MINUTES);
  const waiting = waitsOf(fills);
  return {
    ...{ version, startedAt, now: clock.now() },
    ...sums,
    fleet: brief,
    disk: { ...disk, next: disk.next?.map((victim) => ({ ...victim, names: [...victim.names] })) },
    fills: fills.map(fillView),
    upstreams: upstreams.map(upstreamView),
    troubles: [...troubles],
    pulls: records.pulls.shown.slice(-MOST_PULLS).map((pull) => pullView(pull, waiting.get(pull.id) ?? 0)),
    clients: [...fewOf(records.clients.all, MOST_CLIENTS)],
    traffic: { today, all, minutes },
  };
}

type Fills = MirrorStatus["fills"];

/** By pull: how many of its requests wait for bytes. */
function waitsOf(fills: Fills): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const { serves } of fills)
    for (const { pull, waiting } of serves)
      if (pull !== undefined && waiting > 0)
        found.set(Number(pull), (found.get(Number(pull)) ?? 0) + waiting);
  return found;
}

function pullView(pull: Records["pulls"]["shown"][number], waiting: number) {
  const { id, upstream, repository, tag, platform, client, agent, begunAt, served, size } = pull;
  const { requests, bytesPerSecond } = pull;
  return {
    ...{ id, upstream, repository, tag, platform, client, agent, begunAt, served, size },
    ...{ bytesPerSecond, requests, waiting },
  };
}

function upstreamView(upstream: MirrorStatus["upstreams"][number]) {
  const {
    openBecause,
    name,
    circuit,
    retryAt,
    reason,
    offlineSince,
    rateLimit,
    budgetReturn,
    answers,
    endpoints,
  } = upstream;
  const { at: resetAt, isStated } = budgetReturn ?? {};
  const isLimited = rateLimit !== undefined || budgetReturn !== undefined;
  return {
    ...{ name, circuit, openBecause, retryAt, reason, offlineSince },
    ...answers,
    rateLimit: isLimited ? { ...rateLimit, resetAt, isStated } : undefined,
    endpoints: endpoints !== undefined && endpoints.length > 1 ? [...endpoints] : undefined,
  };
}

function fillView({ serves, runs, lanesAt, readersAt, ...facts }: Fills[number]) {
  return {
    ...facts,
    serves: serves.map(({ repository, tag, client, pull, purpose, readers, waiting }) => ({
      ...{ repository, tag, client, purpose, readers, waiting },
      pull: pull === undefined ? undefined : Number(pull),
    })),
    runs: [...runs],
    lanesAt: [...lanesAt],
    readersAt: [...readersAt],
  };
}
