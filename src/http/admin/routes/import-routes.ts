/**
 * Owns `POST /api/v1/bundles/import`: a bundle comes as the body of the request, and what became of each of its names is the answer. The bytes
 * are never kept as a file; whoever leaves ends the import, and what was copied by then stays.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { GranaryError } from "../../../errors.ts";
import type { ImportReport } from "../../../mirror/imports/import-report.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, changed, changeQuery, flag } from "../route-shapes.ts";

const bytes = z.number().int().nonnegative();
const digest = z.string().openapi({ description: "sha256:<64 hex>" });

const importedNameSchema = z.object({
  name: z.string(),
  digest,
  outcome: z.enum(["imported", "present", "kept", "damaged", "incomplete", "refused"]).openapi({
    description:
      "imported: served from now on. present: it was here. kept: its tag is here and stands for something else. damaged: a part has wrong bytes. incomplete: the bundle lacks a part. refused: it cannot be served here, or there is no room.",
  }),
  reason: z.string().optional(),
  before: digest.optional().openapi({ description: "What the tag stood for, where that is something else." }),
  size: bytes.openapi({ description: "Bytes of all its parts." }),
  missing: z
    .array(z.object({ digest, size: bytes }))
    .openapi({ description: "Blobs that are not here: in a dry run those that would be copied." }),
  absent: z
    .number()
    .openapi({ description: "Manifests that its index lists and the bundle does not bring." }),
});

export const importReportSchema = changed({
  names: z.array(importedNameSchema),
  copied: bytes.openapi({ description: "Bytes of blobs that were written." }),
  present: bytes.openapi({ description: "Bytes of blobs that were here before." }),
  damaged: z.array(digest).openapi({ description: "Wrong bytes came for these; nothing of them was kept." }),
}).openapi("ImportReport");

const importBundle = createRoute({
  method: "post",
  path: "/api/v1/bundles/import",
  tags: ["bundles"],
  summary: "Import the bundle in the body: an OCI layout in a tar, with its index.json and manifests first",
  request: {
    query: changeQuery.extend({
      replace: flag.default(false).openapi({ description: "Move tags that stand for something else." }),
      as: z.string().max(800).optional().openapi({ description: "The name of the one thing in the bundle." }),
      from: z.string().max(1_000).optional().openapi({
        description:
          "Where the bytes come from, for the title; two imports from one place do not run at once.",
      }),
    }),
    body: {
      content: { "application/x-tar": { schema: z.string().openapi({ format: "binary" }) } },
    },
  },
  responses: answers(importReportSchema, "What became of each name."),
});

export function importRoutes(
  app: AdminApp,
  { imports, importing }: Pick<AdminParts, "imports" | "importing">,
): void {
  app.openapi(importBundle, async (context) => {
    const { replace, dryRun, as, from } = context.req.valid("query");
    const { body, signal: left } = context.req.raw;
    if (body === null) throw new GranaryError("manifest-invalid", "The request has no bundle in its body.");
    const chunks = received(body);
    const options = { replace, ...(as !== undefined && { as }) };
    if (dryRun) return context.json(shown(await imports.run(chunks, { ...options, dryRun })), 200);
    const title = `import ${from ?? "a bundle"}${as === undefined ? "" : ` as ${as}`}`;
    const about = { ...options, ...(from !== undefined && { from }) };
    const report = await importing.run(title, about, ({ signal, progress }) =>
      imports.run(chunks, {
        ...{ ...options, dryRun, onProgress: progress },
        signal: AbortSignal.any([signal, left]),
      }),
    );
    return context.json(shown(report), 200);
  });
}

/** The body, whose end before it is whole is a failure of whoever sends it. */
async function* received(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw new GranaryError("aborted", "The bundle did not come whole: whoever sent it has left.", {
      cause: error,
    });
  } finally {
    reader.releaseLock();
  }
}

function shown({ names, damaged, dryRun, ...sums }: ImportReport): z.infer<typeof importReportSchema> {
  return {
    ...sums,
    names: names.map((name) => ({ ...name, missing: [...name.missing] })),
    damaged: [...damaged],
    ...(dryRun && { dryRun }),
  };
}
