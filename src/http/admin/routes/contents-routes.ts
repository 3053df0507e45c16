/** Owns the routes of contents: what is stored, what of it is here, and how it leaves. What each means is the Contents port's. */
import { createRoute, z } from "@hono/zod-openapi";
import type { ShownPart } from "../../../mirror/contents/content-parts.ts";
import { CONTENT_SORTS } from "../../../mirror/contents/content-sorts.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, cellsSchema, changed, changeQuery, flag, listOf, listQuery } from "../route-shapes.ts";
import { body, pattern, tried } from "./contents-shapes.ts";

const bytes = z.number().int().nonnegative();
const time = z.number().openapi({ description: "Milliseconds since 1970." });
const share = {
  size: bytes.openapi({ description: "Bytes of whole blobs that are here." }),
  partial: bytes.openapi({ description: "Bytes of unfinished blobs that are here." }),
  wanted: bytes.openapi({ description: "Bytes of all that its manifests list, as far as they tell." }),
};

const itemSchema = z
  .object({
    upstream: z.string(),
    repository: z.string(),
    tag: z.string().optional(),
    digest: z.string().optional(),
    platforms: z.array(z.string()).optional(),
    tags: z.number().optional(),
    manifests: z.number().optional(),
    ...share,
    usedAt: time.optional(),
    usedBy: z.string().optional().openapi({ description: "The client that pulled it last." }),
    saved: z
      .number()
      .optional()
      .openapi({ description: "Bytes that did not cross the internet, of the repository." }),
    keptBy: z.string().optional().openapi({ description: "The keep rule that holds it." }),
  })
  .openapi("ContentItem");

export const contentsSchema = listOf(itemSchema).extend({
  previous: z
    .string()
    .optional()
    .openapi({ description: "The `after` of the page before; empty where that is the first." }),
  place: z.number().openapi({ description: "Items on the pages before." }),
  count: z.number().openapi({ description: "Items on all pages." }),
});
export type ContentsAnswer = z.infer<typeof contentsSchema>;

const list = createRoute({
  method: "get",
  path: "/api/v1/contents",
  tags: ["contents"],
  summary: "What is stored, by repository or by tag",
  request: {
    query: listQuery(CONTENT_SORTS).extend({
      pattern: pattern.optional(),
      upstream: z.string().max(512).optional().openapi({ description: "Only what came from this one." }),
      by: z.enum(["repository", "tag"]).optional(),
      reverse: flag.default(false).openapi({ description: "The other end of the order first." }),
    }),
  },
  responses: answers(contentsSchema, "A page of what is stored."),
});

const partSchema = z.object({
  digest: z.string(),
  role: z.enum(["config", "layer"]),
  mediaType: z.string().optional(),
  size: bytes.optional(),
  present: bytes,
  runs: z
    .array(z.object({ start: bytes, end: bytes }))
    .optional()
    .openapi({
      description:
        "Of a blob that is here in part: which bytes, for drawing, in at most a few hundred runs; `end` is not included.",
    }),
  cells: cellsSchema,
});

const imageSchema = z.object({
  platform: z.string().optional(),
  digest: z.string(),
  isStored: z.boolean().openapi({ description: "Its manifest is here: somebody asked for this platform." }),
  ...share,
  parts: z.array(partSchema),
});

export const shownSchema = z
  .object({
    upstream: z.string(),
    repository: z.string(),
    ...share,
    usedAt: time.optional(),
    saved: z.number().optional(),
    names: z.array(
      z.object({
        tag: z.string().optional(),
        digest: z.string(),
        mediaType: z.string().optional(),
        checkedAt: time.optional(),
        usedAt: time.optional(),
        keptBy: z.string().optional(),
        ...share,
        images: z.array(imageSchema),
      }),
    ),
    more: z.number(),
    pulls: z.array(
      z.object({
        client: z.string().optional(),
        tag: z.string().optional(),
        platform: z.string().optional(),
        state: z.string(),
        begunAt: time,
        served: bytes,
      }),
    ),
  })
  .openapi("ShownContents");
export type ShownAnswer = z.infer<typeof shownSchema>;

const show = createRoute({
  method: "get",
  path: "/api/v1/contents/show",
  tags: ["contents"],
  summary: "One repository or tag: images, layers, which part of each is here, and who pulled it",
  request: { query: z.object({ reference: pattern }) },
  responses: answers(shownSchema, "What is stored of it."),
});

export const refreshedSchema = changed({
  tags: z.array(
    z.object({
      upstream: z.string(),
      repository: z.string(),
      tag: z.string(),
      before: z.string(),
      now: z.string().optional(),
      reason: z.string().optional(),
    }),
  ),
}).openapi("Refreshed");
export type RefreshedAnswer = z.infer<typeof refreshedSchema>;

const refresh = createRoute({
  method: "post",
  path: "/api/v1/contents/refresh",
  tags: ["contents"],
  summary: "Forget that tags are fresh, and ask their upstreams what they mean",
  request: { query: changeQuery, body: body({ pattern }) },
  responses: answers(refreshedSchema, "What each tag means now."),
});

export function contentsRoutes(app: AdminApp, { contents }: Pick<AdminParts, "contents">): void {
  app.openapi(list, async (context) => {
    const { items, ...page } = await contents.list(context.req.valid("query"));
    const shown = items.map(({ platforms, ...item }) => ({
      ...item,
      ...(platforms !== undefined && { platforms: [...platforms] }),
    }));
    return context.json({ items: shown, ...page }, 200);
  });
  app.openapi(show, async (context) => {
    const { names, pulls, ...rest } = await contents.show(context.req.valid("query").reference);
    const shown = names.map((name) => ({
      ...name,
      images: name.images.map((image) => ({ ...image, parts: image.parts.map(shownPart) })),
    }));
    return context.json({ ...rest, names: shown, pulls: [...pulls] }, 200);
  });
  app.openapi(refresh, async (context) => {
    const { dryRun } = context.req.valid("query");
    const tags = await contents.refresh(context.req.valid("json").pattern, dryRun);
    return context.json({ tags: [...tags], ...tried(dryRun) }, 200);
  });
}

function shownPart({ runs, ...part }: ShownPart) {
  return { ...part, ...(runs !== undefined && { runs: [...runs] }) };
}
