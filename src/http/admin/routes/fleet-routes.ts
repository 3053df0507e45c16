/** Owns `GET /api/v1/fleet`: the fleet as one of its nodes knows it. It computes nothing of its own. */
import { createRoute } from "@hono/zod-openapi";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers } from "../route-shapes.ts";
import { alone } from "./alone.ts";
import { fleetSchema } from "./fleet-shapes.ts";

const getFleet = createRoute({
  method: "get",
  path: "/api/v1/fleet",
  tags: ["fleet"],
  summary: "The nodes of the fleet, who brings what for all, and what is in its bucket",
  responses: answers(fleetSchema, "The fleet; not-found where this Granary is no node of one."),
});

export function fleetRoutes(app: AdminApp, { fleet, clock }: Pick<AdminParts, "fleet" | "clock">): void {
  app.openapi(getFleet, async (context) => {
    if (fleet === undefined) throw alone();
    const { nodes, leases, ...sight } = await fleet.look();
    return context.json({ now: clock.now(), ...sight, nodes: [...nodes], leases: [...leases] }, 200);
  });
}
