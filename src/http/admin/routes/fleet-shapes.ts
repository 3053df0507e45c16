/** Owns the shapes of what is told of a fleet. Descriptions are for the OpenAPI document. */
import { z } from "@hono/zod-openapi";
import { LEASE_KINDS } from "../../../fleet/view/fleet-view.ts";

const bytes = z.number().int().nonnegative();
const count = z.number().int().nonnegative();
const time = z.number().openapi({ description: "Milliseconds since 1970." });

const databaseSchema = z.object({
  isAnswering: z.boolean().openapi({
    description: "Whether the fleet's database answers this node. Without it each node goes on alone.",
  }),
  since: time.openapi({ description: "Since when that is so; epoch ms." }),
});

export const fleetBriefSchema = z.object({
  node: z.string().openapi({ description: "The name of the node that was asked." }),
  nodes: count.openapi({ description: "Those that were heard of within the last hour." }),
  live: count.openapi({ description: "How many of them live, as it was known last." }),
  database: databaseSchema,
});

const nodeSchema = z.object({
  node: z.string(),
  isMe: z.boolean().openapi({ description: "It is the node that was asked." }),
  address: z.string().openapi({ description: "Where the other nodes read from it." }),
  zone: z.string().optional(),
  version: z.string(),
  isLive: z.boolean().openapi({
    description: "Its heartbeat counts. Of one that is not live, others take over what it did.",
  }),
  silentMs: z.number().openapi({ description: "Since its last heartbeat." }),
  state: z
    .object({
      fills: z.number().openapi({ description: "Transfers that run there." }),
      stored: z.number().openapi({ description: "Bytes of whole blobs on its disk." }),
      budget: z.number().openapi({ description: "Bytes that it may keep there." }),
      served: z
        .number()
        .openapi({ description: "Bytes per second to its clients, over the last few seconds." }),
      unshared: z
        .number()
        .openapi({ description: "Blobs on its disk that are not in the bucket yet, or may not be." }),
    })
    .partial()
    .openapi({ description: "What it tells of itself." }),
});

const leaseSchema = z.object({
  kind: z.enum(LEASE_KINDS).openapi({
    description:
      "fill: brings a blob from its upstream, for all. share: puts one into the bucket that it has anyway. tag: asks an upstream where a tag points. janitor: tidies the bucket. schedule: begins what is to be done once for all at its time, such as a warm-up.",
  }),
  node: z.string().openapi({ description: "Who has it." }),
  isMe: z.boolean(),
  heldMs: z.number(),
  upstream: z.string().optional(),
  repository: z
    .string()
    .optional()
    .openapi({ description: "Of a blob: one that lists it, where this node knows one." }),
  tag: z.string().optional(),
  digest: z.string().optional(),
  key: z.string().optional().openapi({ description: "Of another kind: its key." }),
});

const bucketSchema = z.object({
  objects: count,
  bytes,
  doomedObjects: count.openapi({ description: "Those that are deleted soon, unless somebody uses them." }),
  doomedBytes: bytes.openapi({ description: "Of these; no part of bytes." }),
  limit: z.number().optional().openapi({ description: "Bytes; left out where there is no limit." }),
  seenAt: time.openapi({ description: "When that was so; epoch ms." }),
});

export const fleetSchema = z
  .object({
    now: time,
    node: z.string().openapi({ description: "The name of the node that was asked." }),
    seenAt: time.optional().openapi({
      description:
        "When the database told of nodes and leases; long ago where it does not answer, left out where it never did; epoch ms.",
    }),
    nodes: z.array(nodeSchema).openapi({ description: "Heard of within the last hour, by their names." }),
    leases: z
      .array(leaseSchema)
      .openapi({ description: "Who does what for all; the longest held first, 1,000 at most." }),
    bucket: bucketSchema
      .optional()
      .openapi({ description: "What the fleet knows to be in its bucket; left out until that is known." }),
    database: databaseSchema,
    unshared: count.openapi({
      description: "Blobs on this node's disk that are not in the bucket yet, or may not be.",
    }),
  })
  .openapi("Fleet");

export type FleetAnswer = z.infer<typeof fleetSchema>;
