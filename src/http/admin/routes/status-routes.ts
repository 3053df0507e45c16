/** Owns `GET /api/v1/status`: what is happening now, in one answer. It computes nothing of its own. */
import { createRoute, z } from "@hono/zod-openapi";
import type { MirrorStatus } from "../../../mirror/mirror.ts";
import { PURPOSES } from "../../../purpose.ts";
import type { Records } from "../../../records/records.ts";
import { version } from "../../../version.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, cellsSchema } from "../route-shapes.ts";

const bytes = z.number().int().nonnegative();
const time = z.number().openapi({ description: "Milliseconds since 1970." });

const fillSchema = z.object({
  digest: z.string(),
  upstream: z.string(),
  state: z.string(),
  size: bytes.openapi({ description: "Bytes; what is present while nobody knows the size." }),
  present: bytes,
  lanes: z.number().openapi({ description: "Connections that bring its bytes." }),
  readers: z.number().openapi({ description: "Clients that are being sent its bytes." }),
  waits: z.number().openapi({ description: "Readers that wait for a byte that is not there yet." }),
  purpose: z.enum(PURPOSES).openapi({ description: "The most urgent of those who want it now." }),
  heldForMs: z.number().optional().openapi({
    description: "For how long it leaves the line to clients, or waits for an upstream that is set offline.",
  }),
  begunAt: time,
  bytesPerSecond: z.number(),
  serves: z.array(
    z.object({
      repository: z.string(),
      tag: z.string().optional(),
      client: z.string().optional(),
      purpose: z.enum(PURPOSES),
      readers: z.number(),
      waiting: z.number(),
    }),
  ),
  runs: z
    .array(z.object({ start: bytes, end: bytes }))
    .openapi({ description: "The map of the blob: what is here, for drawing; `end` is not included." }),
  cells: cellsSchema,
  lanesAt: z.array(bytes).openapi({ description: "Where connections write." }),
  readersAt: z.array(bytes).openapi({ description: "Where clients read." }),
});

const pullSchema = z
  .object({
    id: z.number().int(),
    upstream: z.string(),
    repository: z.string(),
    tag: z.string().nullable(),
    platform: z.string().nullable(),
    client: z.string().nullable(),
    agent: z.string(),
    begunAt: time,
    served: bytes,
    size: bytes.nullable(),
  })
  .openapi({ description: "A pull that is going on." });

const sumsSchema = z.object({
  served: z.number().openapi({ description: "Bytes to clients." }),
  fetched: z.number().openapi({ description: "Bytes from upstreams." }),
  saved: z
    .number()
    .openapi({ description: "served - fetched; negative after a warm-up that nobody used yet." }),
  pulls: z.number(),
});

const upstreamSchema = z.object({
  name: z.string(),
  circuit: z.enum(["closed", "open", "probing"]).openapi({
    description: "closed: it works. open: it fails, and is not asked before retryAt.",
  }),
  retryAt: time.optional(),
  reason: z.string().optional(),
  offlineSince: time.optional().openapi({ description: "Set offline by a person: nothing is asked of it." }),
  rateLimit: z
    .object({ limit: z.number().optional(), remaining: z.number().optional() })
    .optional()
    .openapi({ description: "Pulls in a window, as the upstream says." }),
});

export const statusSchema = z
  .object({
    version: z.string(),
    startedAt: time,
    now: time,
    fills: z.array(fillSchema),
    upstreams: z.array(upstreamSchema),
    disk: z.object({ used: bytes, budget: z.number(), free: bytes }),
    blobs: z.number(),
    manifests: z.number(),
    pins: z.number(),
    pulls: z.array(pullSchema).openapi({ description: "The newest hundred that go on." }),
    traffic: z.object({ today: sumsSchema, all: sumsSchema }),
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

type StatusParts = Pick<AdminParts, "mirror" | "records" | "clock" | "startedAt">;

export function statusRoutes(app: AdminApp, parts: StatusParts): void {
  app.openapi(getStatus, async (context) => context.json(await statusOf(parts), 200));
}

const MOST_PULLS = 100;

/** What the route answers, and what listeners to events get each second. */
export async function statusOf({ mirror, records, clock, startedAt }: StatusParts) {
  const status = await mirror.status();
  const { today, all } = records.traffic.totals();
  const pulls = records.pulls.running.filter(({ state }) => state === "running").slice(-MOST_PULLS);
  const now = clock.now();
  return { version, startedAt, now, ...shown(status), pulls: pulls.map(pullView), traffic: { today, all } };
}

function pullView({
  id,
  upstream,
  repository,
  tag,
  platform,
  client,
  agent,
  begunAt,
  served,
  size,
}: Records["pulls"]["running"][number]) {
  return { id, upstream, repository, tag, platform, client, agent, begunAt, served, size };
}

function shown({ fills, upstreams, troubles, ...sums }: MirrorStatus) {
  return {
    ...sums,
    fills: fills.map(fillView),
    upstreams: upstreams.map(({ name, circuit, retryAt, reason, offlineSince, rateLimit }) => ({
      name,
      circuit,
      retryAt,
      reason,
      offlineSince,
      rateLimit,
    })),
    troubles: [...troubles],
  };
}

function fillView({ serves, runs, lanesAt, readersAt, ...facts }: MirrorStatus["fills"][number]) {
  return {
    ...facts,
    serves: serves.map(({ repository, tag, client, purpose, readers, waiting }) => ({
      repository,
      tag,
      client,
      purpose,
      readers,
      waiting,
    })),
    runs: [...runs],
    lanesAt: [...lanesAt],
    readersAt: [...readersAt],
  };
}
