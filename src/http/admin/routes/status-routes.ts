/** Owns `GET /api/v1/status`: what is happening now, in one answer. It computes nothing of its own. */
import { createRoute, z } from "@hono/zod-openapi";
import type { MirrorStatus } from "../../../mirror/mirror.ts";
import { version } from "../../../version.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers } from "../route-shapes.ts";

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

export function statusRoutes(
  app: AdminApp,
  { mirror, clock, startedAt }: Pick<AdminParts, "mirror" | "clock" | "startedAt">,
): void {
  app.openapi(getStatus, async (context) => {
    const status = await mirror.status();
    return context.json({ version, startedAt, now: clock.now(), ...shown(status) }, 200);
  });
}

function shown({ fills, upstreams, troubles, ...sums }: MirrorStatus) {
  return {
    ...sums,
    fills: [...fills],
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
