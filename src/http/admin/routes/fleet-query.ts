/** Owns how records are asked for of a whole fleet: the two parameters, and what an answer says of the nodes. Whether there is a fleet is decided here. */
import { z } from "@hono/zod-openapi";
import type { FleetRecords, Heard } from "../../../fleet/records/fleet-records.ts";
import { flag } from "../route-shapes.ts";
import { alone } from "./alone.ts";

/** For the query of a route. */
export const fleetQuery = {
  fleet: flag.default(false).openapi({
    description:
      "Of all nodes of the fleet, asked now; of a Granary that works alone its own, as without it.",
  }),
  node: z.string().max(253).optional().openapi({ description: "Of this node of the fleet only." }),
};

export const heardSchema = z
  .object({
    node: z.string().openapi({ description: "The name of the node that was asked." }),
    nodes: z.array(z.string()).openapi({ description: "Those that were heard of within the last hour." }),
    seenAt: z.number().optional().openapi({
      description:
        "When the database told of them; left out where it never did, so that there may be others.",
    }),
    missing: z
      .array(z.object({ node: z.string(), reason: z.string().openapi({ description: "A sentence." }) }))
      .openapi({ description: "Nodes that did not answer: of them nothing is in this answer." }),
  })
  .openapi("Heard");

/** undefined where only this node's own are asked for, or it is no node of a fleet. Throws `not-found` where a node is named and there is no fleet. */
export function askedFleet(
  records: FleetRecords | undefined,
  { fleet, node }: { readonly fleet: boolean; readonly node?: string | undefined },
): FleetRecords | undefined {
  if (records === undefined && node !== undefined) throw alone();
  return fleet || node !== undefined ? records : undefined;
}

/** As it is shown. */
export function shownHeard({ nodes, missing, ...heard }: Heard): z.infer<typeof heardSchema> {
  return { ...heard, nodes: [...nodes], missing: [...missing] };
}
