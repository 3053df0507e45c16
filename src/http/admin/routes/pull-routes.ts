/** Owns `GET /api/v1/pulls`: who pulls and pulled what, and how it went. Which requests are one pull is decided in records/. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Records } from "../../../records/records.ts";
import { writtenAddress } from "../../client-network.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { PULL_STATES } from "../query-words.ts";
import { answers, listOf } from "../route-shapes.ts";
import { listPlace } from "./page.ts";

const count = z.number().int().nonnegative();
const time = z.number().openapi({ description: "Milliseconds since 1970." });

const pullSchema = z
  .object({
    id: count,
    upstream: z.string(),
    repository: z.string(),
    tag: z.string().optional().openapi({ description: "Not known where only digests were asked for." }),
    digest: z.string().optional().openapi({ description: "Of the manifest that was asked for first." }),
    platform: z.string().optional().openapi({ description: "linux/arm64; where an index said so." }),
    client: z
      .string()
      .optional()
      .openapi({ description: "Its address, where and as long as those are kept." }),
    agent: z.string().openapi({ description: "What it calls itself: docker, containerd, ollama, other." }),
    state: z.enum(PULL_STATES),
    begunAt: time,
    endedAt: time.optional(),
    tookMs: count.openapi({ description: "From its first request to its last until now." }),
    served: count.openapi({ description: "Body bytes that were sent for it." }),
    size: count.optional().openapi({ description: "Bytes of all blobs that its manifests list." }),
    blobs: count.openapi({ description: "Blobs that it asked for; the client may have had others already." }),
    hits: count,
    misses: count,
    isRepeated: z.boolean().openapi({
      description:
        "The same bytes were asked for again: perhaps two machines behind one address that call themselves the same, which cannot be told apart.",
    }),
    reason: z.string().optional().openapi({ description: "Why it failed." }),
  })
  .openapi("Pull");

export const pullsSchema = listOf(pullSchema);

export type PullItem = z.infer<typeof pullSchema>;

const pullsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  after: z.string().max(20).optional().openapi({ description: "The `next` of the page before." }),
  state: z.enum(PULL_STATES).optional(),
  upstream: z.string().max(512).optional(),
  repository: z
    .string()
    .max(512)
    .optional()
    .openapi({ description: "Without its upstream: library/alpine." }),
  client: z
    .string()
    .max(64)
    .optional()
    .transform((text) => (text === undefined ? undefined : writtenAddress(text)))
    .openapi({ type: "string", description: "An address, in whatever way it is written." }),
  search: z
    .string()
    .max(512)
    .optional()
    .transform((text) => (text === "" ? undefined : text?.toLowerCase()))
    .openapi({
      type: "string",
      description:
        "What the name (docker.io/library/alpine:3), the kind of the client or its address must contain.",
    }),
});

const getPulls = createRoute({
  method: "get",
  path: "/api/v1/pulls",
  tags: ["records"],
  summary: "Who pulls and pulled what, newest first",
  request: { query: pullsQuery },
  responses: answers(pullsSchema, "Pulls that run and pulls that are over, newest first."),
});

export function pullRoutes(app: AdminApp, { records }: Pick<AdminParts, "records">): void {
  app.openapi(getPulls, (context) => {
    const { limit, after, ...wanted } = context.req.valid("query");
    const before = listPlace(after, Number.MAX_SAFE_INTEGER);
    const found = records.pulls.find({ ...wanted, before, limit: limit + 1 });
    const items = found.slice(0, limit).map(shown);
    const last = items.at(-1);
    const more = found.length > limit && last !== undefined ? { next: String(last.id) } : {};
    return context.json({ items, ...more }, 200);
  });
}

type Row = ReturnType<Records["pulls"]["find"]>[number];

function shown({
  tag,
  digest,
  platform,
  client,
  endedAt,
  size,
  reason,
  state,
  isRepeated,
  ...row
}: Row): PullItem {
  return {
    ...row,
    isRepeated: isRepeated === 1,
    state: PULL_STATES.find((name) => name === state) ?? "failed",
    tag: tag ?? undefined,
    digest: digest ?? undefined,
    platform: platform ?? undefined,
    client: client ?? undefined,
    endedAt: endedAt ?? undefined,
    size: size ?? undefined,
    reason: reason ?? undefined,
  };
}
