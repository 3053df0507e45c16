/** Owns `GET /api/v1/clients`: who has asked for something since this process began. Who counts as one client is decided in records/. */
import { createRoute } from "@hono/zod-openapi";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, listOf, listQuery } from "../route-shapes.ts";
import { listPage } from "./page.ts";
import { clientSchema } from "./status-shapes.ts";

const SORTS = ["last", "first", "served"] as const;
const KEYS = { last: "lastAt", first: "firstAt", served: "served" } as const;

const getClients = createRoute({
  method: "get",
  path: "/api/v1/clients",
  tags: ["records"],
  summary: "Who has asked for something since this process began",
  request: { query: listQuery(SORTS) },
  responses: answers(listOf(clientSchema), "Clients, the newest or the largest first."),
});

export function clientRoutes(app: AdminApp, { records }: Pick<AdminParts, "records">): void {
  app.openapi(getClients, (context) => {
    const { limit, after, sort, search } = context.req.valid("query");
    const isFound = ({
      client = "",
      agent,
    }: {
      readonly client: string | undefined;
      readonly agent: string;
    }) => search === undefined || client.includes(search) || agent.includes(search);
    const found = records.clients.all.filter(isFound).sort((a, b) => b[KEYS[sort]] - a[KEYS[sort]]);
    return context.json(listPage(found, limit, after), 200);
  });
}
