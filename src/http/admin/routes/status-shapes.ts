/** Owns the shapes of what the status tells of: transfers, pulls, clients, upstreams, the disk. Descriptions are for the OpenAPI document. */
import { z } from "@hono/zod-openapi";
import { BLOB_ROLES } from "../../../mirror/mirror.ts";
import { PURPOSES } from "../../../purpose.ts";
import { cellsSchema } from "../route-shapes.ts";

const bytes = z.number().int().nonnegative();
export const time = z.number().openapi({ description: "Milliseconds since 1970." });

export const fillSchema = z.object({
  digest: z.string(),
  role: z.enum(BLOB_ROLES).optional().openapi({
    description:
      "What the blob is to the image or model that lists it; other: a file, a license and the like.",
  }),
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
      pull: z.number().int().optional().openapi({ description: "The id of the pull, where there is one." }),
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

export const pullSchema = z
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
    bytesPerSecond: z.number().openapi({ description: "To the client, over the last second or longer." }),
    requests: z
      .number()
      .openapi({ description: "Requests of it that are being answered; 0 between two of them." }),
    waiting: z
      .number()
      .openapi({ description: "Of these, how many wait for a byte that has to come from an upstream." }),
  })
  .openapi({ description: "A pull that is going on." });

export const sumsSchema = z.object({
  served: z.number().openapi({ description: "Bytes to clients." }),
  fetched: z.number().openapi({ description: "Bytes from upstreams." }),
  saved: z
    .number()
    .openapi({ description: "served - fetched; negative after a warm-up that nobody used yet." }),
  pulls: z.number(),
});

export const minuteSchema = z.object({
  at: time.openapi({ description: "The beginning of the minute, milliseconds since 1970." }),
  served: bytes,
  fetched: bytes,
});

const answerTimes = {
  latencyMs: z.number().optional().openapi({
    description:
      "From a request to the headers of its answer: the middle of the last 31 requests, as far as they are not older than ten minutes. Token servers and CDNs do not count.",
  }),
  askedAt: time.optional().openapi({ description: "When it was asked last; epoch ms." }),
  requests: z.number().optional().openapi({ description: "Requests of the last ten minutes." }),
  failed: z.number().optional().openapi({
    description: "How many of these got no answer, or one that says that the server fails (5xx).",
  }),
};

export const upstreamSchema = z.object({
  name: z.string(),
  circuit: z.enum(["closed", "open", "probing"]).openapi({
    description: "closed: it works. open: it fails, and is not asked before retryAt.",
  }),
  openBecause: z.enum(["away", "limited"]).optional().openapi({
    description: "Why it is open: the upstream does not answer, or it limits us.",
  }),
  retryAt: time.optional(),
  reason: z.string().optional(),
  offlineSince: time.optional().openapi({ description: "Set offline by a person: nothing is asked of it." }),
  rateLimit: z
    .object({
      limit: z.number().optional(),
      remaining: z.number().optional(),
      windowMs: z.number().optional().openapi({ description: "How long a pull counts." }),
      seenAt: time.optional().openapi({ description: "When the upstream last said so; epoch ms." }),
      resetAt: time.optional().openapi({
        description:
          "When it allows more again; epoch ms. Where isStated is false it is the latest: all that was counted until now is forgotten by then.",
      }),
      isStated: z
        .boolean()
        .optional()
        .openapi({ description: "The upstream named resetAt itself (Retry-After)." }),
    })
    .optional()
    .openapi({ description: "Pulls in a window, as far as the upstream says." }),
  ...answerTimes,
  endpoints: z
    .array(
      z.object({
        host: z.string(),
        isFirst: z.boolean().openapi({ description: "It is the one that is asked first now." }),
        retryAt: time.optional().openapi({
          description: "It failed, and comes after the others until then; epoch ms.",
        }),
        ...answerTimes,
      }),
    )
    .optional()
    .openapi({ description: "Where the upstream has several addresses: these, in the configured order." }),
});

export const clientSchema = z
  .object({
    client: z.string().optional().openapi({ description: "Its address; not told where none are kept." }),
    agent: z.string().openapi({ description: "What it calls itself: docker, containerd, ollama, other." }),
    firstAt: time.openapi({ description: "Its first request since this process began; epoch ms." }),
    lastAt: time,
    requests: z.number().openapi({ description: "All of them, hits and failures too." }),
    served: bytes.openapi({ description: "Body bytes sent to it since firstAt." }),
    pulls: z.number().openapi({ description: "Pulls of it that go on." }),
    upstream: z.string().optional().openapi({ description: "What it asked for last." }),
    outcome: z.string().optional().openapi({
      description:
        "How its last request went: hit, miss, shared, revalidated, stale, bypass; absent, refused, error; aborted, none.",
    }),
    reason: z
      .string()
      .optional()
      .openapi({ description: "Why that one was not answered, without the name that it asked for." }),
  })
  .openapi("Client");

export const diskSchema = z.object({
  used: bytes,
  budget: z.number(),
  free: bytes,
  next: z
    .array(
      z.object({
        kind: z.enum(["blob", "partial", "damaged"]),
        what: z.string().openapi({ description: "A digest; of a damaged file, its name." }),
        size: bytes,
        usedAt: time.optional().openapi({ description: "When it was used last; epoch ms." }),
        names: z.array(z.string()).openapi({ description: "Repositories that list it, a few of them." }),
      }),
    )
    .optional()
    .openapi({
      description: "What would be evicted next if room were needed: the first five, as of the last seconds.",
    }),
});
