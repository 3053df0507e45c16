/** Owns the routes of contents: what is stored, what of it is here, and how it leaves. What each means is the Contents port's. */
import { createRoute, z } from "@hono/zod-openapi";
import { parseBytes, parseDuration } from "../../../bytes/units.ts";
import { isGranaryError } from "../../../errors.ts";
import type { ShownPart } from "../../../mirror/contents/content-parts.ts";
import { CONTENT_SORTS } from "../../../mirror/contents/list-contents.ts";
import { refuseWhileWarming } from "../../../warm/refuse-while-warming.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, changed, changeQuery, listOf, listQuery } from "../route-shapes.ts";

const bytes = z.number().int().nonnegative();
const time = z.number().openapi({ description: "Milliseconds since 1970." });
const pattern = z.string().min(1).max(800).openapi({
  description: "A name pattern, such as alpine:3.*, ghcr.io/org/**, ollama:llama3.2 or *@sha256:...",
  example: "alpine:3.*",
});

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
      by: z.enum(["repository", "tag"]).optional(),
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

export const removedSchema = changed({
  repositories: z.array(
    z.object({
      upstream: z.string(),
      repository: z.string(),
      isAll: z.boolean(),
      tags: z.array(z.string()),
      manifests: z.array(z.string()),
    }),
  ),
  kept: z.array(z.object({ name: z.string(), rule: z.string() })),
  blobs: z.number(),
  freed: bytes.openapi({ description: "Bytes that come free." }),
  later: bytes.openapi({
    description: "Of these, bytes that are read or filled now, and come free when that ends.",
  }),
}).openapi("Removed");
export type RemovedAnswer = z.infer<typeof removedSchema>;

const remove = createRoute({
  method: "post",
  path: "/api/v1/contents/remove",
  tags: ["contents"],
  summary: "Remove what a pattern stands for; blobs that others share stay",
  request: {
    query: changeQuery,
    body: body({
      pattern,
      unusedFor: duration().optional().openapi({ type: "string", example: "90d" }),
      force: z.boolean().default(false).openapi({ description: "Also what a keep rule stands for." }),
    }),
  },
  responses: answers(removedSchema, "What was removed."),
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

export const madeRoomSchema = changed({
  freed: bytes,
  isLess: z.boolean(),
  next: z.array(
    z.object({
      kind: z.enum(["blob", "partial", "damaged"]),
      what: z.string(),
      size: bytes,
      usedAt: time.optional(),
      names: z.array(z.string()),
    }),
  ),
  more: z.number(),
}).openapi("MadeRoom");
export type MadeRoomAnswer = z.infer<typeof madeRoomSchema>;

const evict = createRoute({
  method: "post",
  path: "/api/v1/contents/evict",
  tags: ["contents"],
  summary: "Let go what was used longest ago, until so many bytes came free",
  request: { query: changeQuery, body: body({ free: size().openapi({ type: "string", example: "50GiB" }) }) },
  responses: answers(madeRoomSchema, "What went, or would go next, in order."),
});

export function contentsRoutes(
  app: AdminApp,
  { contents, jobs, warmUps }: Pick<AdminParts, "contents" | "jobs" | "warmUps">,
): void {
  app.openapi(list, async (context) => {
    const { items, next, count } = await contents.list(context.req.valid("query"));
    const shown = items.map(({ platforms, ...item }) => ({
      ...item,
      ...(platforms !== undefined && { platforms: [...platforms] }),
    }));
    return context.json({ items: shown, next, count }, 200);
  });
  app.openapi(show, async (context) => {
    const { names, pulls, ...rest } = await contents.show(context.req.valid("query").reference);
    const shown = names.map((name) => ({
      ...name,
      images: name.images.map((image) => ({ ...image, parts: image.parts.map(shownPart) })),
    }));
    return context.json({ ...rest, names: shown, pulls: [...pulls] }, 200);
  });
  app.openapi(remove, async (context) => {
    const { pattern, unusedFor, force } = context.req.valid("json");
    const { dryRun } = context.req.valid("query");
    refuseWhileWarming(await contents.meaning(pattern), jobs.list(), warmUps.upstreams());
    const { repositories, kept, ...sums } = await contents.remove(pattern, {
      unusedForMs: unusedFor,
      force,
      dryRun,
    });
    const removed = repositories.map((each) => ({
      ...each,
      tags: [...each.tags],
      manifests: [...each.manifests],
    }));
    return context.json({ repositories: removed, kept: [...kept], ...sums, ...tried(dryRun) }, 200);
  });
  app.openapi(refresh, async (context) => {
    const { dryRun } = context.req.valid("query");
    const tags = await contents.refresh(context.req.valid("json").pattern, dryRun);
    return context.json({ tags: [...tags], ...tried(dryRun) }, 200);
  });
  app.openapi(evict, async (context) => {
    const { dryRun } = context.req.valid("query");
    const { next, ...sums } = await contents.evict(context.req.valid("json").free, dryRun);
    const victims = next.map((victim) => ({ ...victim, names: [...victim.names] }));
    return context.json({ ...sums, next: victims, ...tried(dryRun) }, 200);
  });
}

function shownPart({ runs, ...part }: ShownPart) {
  return { ...part, ...(runs !== undefined && { runs: [...runs] }) };
}

function body<Shape extends z.ZodRawShape>(shape: Shape) {
  return { content: { "application/json": { schema: z.strictObject(shape) } }, required: true };
}

function tried(dryRun: boolean): { readonly dryRun?: true } {
  return dryRun ? { dryRun } : {};
}

function size() {
  return withUnit(parseBytes, "a size in bytes or with a unit, such as 512MiB or 50GiB");
}

function duration() {
  return withUnit(parseDuration, "a duration, such as 12h or 90d");
}

/** A number as people write it: a text with a unit, or a plain number. */
function withUnit(parse: (text: string | number) => number, wanted: string) {
  return z.union([z.string(), z.number().nonnegative()]).transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      if (!isGranaryError(error)) throw error;
      context.addIssue({ code: "custom", message: `expected ${wanted}` });
      return z.NEVER;
    }
  });
}
