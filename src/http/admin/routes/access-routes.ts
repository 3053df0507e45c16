/** Owns `GET /api/v1/access`: what whoever asks may do here, so that a page offers nothing that would be refused. It decides nothing. */
import { createRoute, z } from "@hono/zod-openapi";
import type { AdminApp, VisitorAccess } from "../app-kind.ts";
import { answers } from "../route-shapes.ts";

const accessSchema = z
  .object({
    mayChange: z.boolean().openapi({ description: "false: who asks may look, and nothing else." }),
    needsToken: z.boolean().openapi({
      description: "Whether a token is asked for at all; a browser logs in at /login, and out at /logout.",
    }),
  })
  .openapi("Access");

const getAccess = createRoute({
  method: "get",
  path: "/api/v1/access",
  tags: ["status"],
  summary: "What whoever asks may do",
  responses: answers(accessSchema, "What whoever asks may do."),
});

/** Of who comes by the socket of the storage directory: its mode has let them in. */
const OWNER: VisitorAccess = { mayChange: true, needsToken: false };

export function accessRoutes(app: AdminApp): void {
  app.openapi(getAccess, (context) => context.json(context.env?.access ?? OWNER, 200));
}
