/**
 * Owns `POST /api/v1/verify`: everything that is stored is read and compared with its digest, told as it goes on. It ends when whoever asked
 * for it leaves.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { stream } from "hono/streaming";
import { isGranaryError } from "../../../errors.ts";
import { adminError, errorSchema } from "../admin-error.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { flag } from "../route-shapes.ts";

const findingSchema = z.object({
  kind: z.enum([
    "damaged-manifest",
    "damaged-blob",
    "wrong-size",
    "unreadable",
    "unregistered",
    "missing",
    "stranger",
  ]),
  what: z.string(),
  isRepaired: z.boolean(),
  reason: z.string().optional(),
});

/** One line of the answer: how far it is, and in the end what was found, or why not. */
export const verifyLineSchema = z
  .union([
    z.object({ progress: z.object({ done: z.number(), total: z.number() }) }),
    z.object({
      report: z.object({
        blobs: z.number(),
        bytes: z.number(),
        manifests: z.number(),
        findings: z.array(findingSchema),
        isSound: z.boolean(),
      }),
    }),
    errorSchema,
  ])
  .openapi("VerifyLine");

export type VerifyLine = z.infer<typeof verifyLineSchema>;

const verify = createRoute({
  method: "post",
  path: "/api/v1/verify",
  tags: ["contents"],
  summary: "Read and hash everything that is stored",
  request: { query: z.object({ repair: flag.default(false) }) },
  responses: {
    200: {
      description: "Lines of JSON: progress, and the report at the end.",
      content: { "application/x-ndjson": { schema: verifyLineSchema } },
    },
    500: { description: "Why not, in the form of every error." },
  },
});

export function verifyRoutes(app: AdminApp, { mirror }: Pick<AdminParts, "mirror">): void {
  app.openapi(verify, (context) => {
    const { repair } = context.req.valid("query");
    context.header("Content-Type", "application/x-ndjson");
    return stream(context, async (body) => {
      const left = new AbortController();
      body.onAbort(() => left.abort());
      const write = (line: VerifyLine) => body.write(`${JSON.stringify(line)}\n`);
      const onProgress = ({ done, total }: { done: number; total: number }) =>
        void write({ progress: { done, total } });
      try {
        const report = await mirror.verify({ repair, onProgress, signal: left.signal });
        await write({ report: { ...report, findings: [...report.findings] } });
      } catch (error) {
        if (!isGranaryError(error, "aborted")) await write(adminError(error).body);
      }
    });
  });
}
