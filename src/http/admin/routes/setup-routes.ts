/**
 * Owns `GET /api/v1/setup`: how clients on other machines are pointed at this Granary, by its own addresses. Nothing is written by it: only
 * the command writes, on the machine where it runs.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { CLIENT_KINDS } from "../../../setup/client-kinds.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers } from "../route-shapes.ts";

const listenerSchema = z.object({
  upstream: z.string().openapi({ description: "What a request means here that names no registry." }),
  port: z.number().int(),
  host: z.string().optional().openapi({ description: "Where it listens; everywhere when left out." }),
  urls: z.tuple([z.string()], z.string()).openapi({
    type: "array",
    description: "As other machines reach it, the likeliest first.",
  }),
  certificate: z.string().optional().openapi({ description: "PEM; left out where it speaks plain http." }),
  wantsLogin: z.boolean(),
});

export const offersSchema = z
  .object({ clients: z.array(z.enum(CLIENT_KINDS)), listeners: z.array(listenerSchema) })
  .openapi("Offers");

const blocksSchema = z
  .object({
    client: z.enum(CLIENT_KINDS),
    files: z.array(z.object({ path: z.string(), text: z.string() })),
    restart: z.array(z.string()),
    notes: z.array(z.string()),
  })
  .openapi("ClientBlocks");

const getOffers = createRoute({
  method: "get",
  path: "/api/v1/setup",
  tags: ["setup"],
  summary: "Which clients can be pointed here, and the listeners that they can be pointed at",
  responses: answers(offersSchema, "Clients and listeners."),
});

const getBlocks = createRoute({
  method: "get",
  path: "/api/v1/setup/{client}",
  tags: ["setup"],
  summary: "The files of a client on a machine that has none of them yet",
  request: {
    params: z.object({ client: z.enum(CLIENT_KINDS) }),
    query: z.object({
      address: z
        .string()
        .max(2_048)
        .optional()
        .openapi({ description: "Of a listener, as that machine reaches it." }),
      registry: z
        .union([z.string().max(255), z.array(z.string().max(255)).max(100)])
        .optional()
        .openapi({ description: "Only for these registries; several times for several." }),
    }),
  },
  responses: answers(blocksSchema, "Files, what to restart, and what to know."),
});

export function setupRoutes(app: AdminApp, { setup }: Pick<AdminParts, "setup">): void {
  app.openapi(getOffers, (context) => {
    const listeners = setup.listeners().map(({ urls: [first, ...others], ...rest }) => ({
      ...rest,
      urls: [first, ...others] satisfies [string, ...string[]],
    }));
    return context.json({ clients: [...CLIENT_KINDS], listeners }, 200);
  });
  app.openapi(getBlocks, async (context) => {
    const { client } = context.req.valid("param");
    const { address, registry } = context.req.valid("query");
    const registries = registry === undefined ? undefined : [registry].flat();
    const { files, restart, notes } = await setup.blocks(client, { address, registries });
    return context.json({ client, files: [...files], restart: [...restart], notes: [...notes] }, 200);
  });
}
