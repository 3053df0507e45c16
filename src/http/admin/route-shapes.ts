/**
 * Owns what all routes of the admin face have in common in the OpenAPI document: their answers, the queries of lists and of changes. A
 * route file uses these, so that every list is paged and every change is tried in the same way.
 */
import { z } from "@hono/zod-openapi";
import { errorSchema } from "./admin-error.ts";

/** The answers of a route that gives JSON: `schema` with 200, and the one form of an error with everything else. */
export function answers<Schema extends z.ZodType>(schema: Schema, description: string) {
  return {
    200: { description, content: { "application/json": { schema } } },
    default: { description: "Why not.", content: { "application/json": { schema: errorSchema } } },
  };
}

/** Text of a map's cells; src/fill/drawn-cells.ts makes it. */
export const cellsSchema = z.string().optional().openapi({
  description:
    "Where there are more runs than can be told one by one (`runs` is then a rough picture): the map as text, of at most 2,000 characters, each for an equal part of the blob, of which all (#), some (+) or nothing (.) is here.",
});

/** A switch in a query: true, false, 1, 0, yes, no. */
export const flag = z.stringbool().openapi({ type: "boolean" });

/** Of every route that changes something: with `dryRun` the answer says exactly what would happen, and nothing does. */
export const changeQuery = z.object({ dryRun: flag.default(false) });

/** The answers of a change: what happened, or with `dryRun` what would. */
export function changed<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.object({ ...shape, dryRun: z.literal(true).optional() });
}

const MOST_ITEMS = 1_000;

/** The query of a list: a page of it, sorted by one of `sorts`, the first where nothing is said. */
export function listQuery<const Sorts extends readonly [string, ...string[]]>(sorts: Sorts) {
  return z.object({
    limit: z.coerce.number().int().min(1).max(MOST_ITEMS).default(100),
    after: z.string().max(2_048).optional().openapi({ description: "The `next` of the page before." }),
    sort: z.enum(sorts).default(sorts[0]),
    search: z.string().max(512).optional().openapi({ description: "What names must contain." }),
  });
}

/** A page of a list; `next` is there where more follows. */
export function listOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), next: z.string().optional() });
}
