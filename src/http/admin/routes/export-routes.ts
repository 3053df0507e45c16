/**
 * Owns `POST /api/v1/bundles/export`: what patterns stand for, as the stream of one bundle, or with `dryRun` what that would have in it. Whoever
 * leaves ends the export.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { framed } from "../../../bundle/frames.ts";
import { GranaryError } from "../../../errors.ts";
import type { AttendedJobs } from "../../../jobs/attended-jobs.ts";
import type { ExportReport, PreparedExport } from "../../../mirror/bundles/bundles.ts";
import { parsePlatform } from "../../../oci/platform.ts";
import { adminError } from "../admin-error.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp, AdminEnvironment } from "../app-kind.ts";
import { answers, changed, changeQuery, flag } from "../route-shapes.ts";

const bytes = z.number().int().nonnegative();

export const exportReportSchema = changed({
  names: z.array(
    z.object({
      name: z.string(),
      digest: z.string(),
      platforms: z.array(z.string()),
      absent: z
        .number()
        .openapi({ description: "Manifests that its index lists and the bundle does not have." }),
      size: bytes,
      toFetch: bytes,
      attachedTo: z.string().optional().openapi({
        description: "The name because of which it is there: of signatures, SBOMs and other referrers.",
      }),
    }),
  ),
  size: bytes.openapi({ description: "Bytes of everything once." }),
  toFetch: bytes.openapi({ description: "Bytes that are not here and are fetched for it." }),
}).openapi("ExportReport");

const askSchema = z.strictObject({
  patterns: z.array(z.string().max(800)).min(1).max(1_000),
  platforms: z
    .union([z.literal("all"), z.array(z.string().max(100)).min(1).max(50)])
    .optional()
    .openapi({ description: "Of indexes; where it is left out, the platforms that are here." }),
  attestations: z.boolean().default(false).openapi({
    description:
      "Also what is attested about the chosen images, in their index and as referrers and signatures of them; without it only those referrers and signatures that are wholly here.",
  }),
  fetch: z.boolean().default(true).openapi({
    description: "What is not here is fetched; with false it is an error.",
  }),
});

const json = answers(exportReportSchema, "What the bundle would have in it, or the bundle.");

const exportBundle = createRoute({
  method: "post",
  path: "/api/v1/bundles/export",
  tags: ["bundles"],
  summary: "Export what patterns stand for, as one tar that is an OCI layout",
  request: {
    query: changeQuery.extend({
      framed: flag.default(false).openapi({
        description:
          "Frames of bytes (32 bits of length before each), and after one of length 0 what came of it, as JSON.",
      }),
    }),
    body: { content: { "application/json": { schema: askSchema } }, required: true },
  },
  responses: {
    ...json,
    200: {
      description: "With dryRun what it would have in it; else the bundle.",
      content: {
        ...json[200].content,
        "application/x-tar": { schema: z.string().openapi({ format: "binary" }) },
      },
    },
  },
});

export function exportRoutes(
  app: AdminApp,
  { bundles, exporting }: Pick<AdminParts, "bundles" | "exporting">,
): void {
  app.openapi(exportBundle, async (context) => {
    const { dryRun, framed: isFramed } = context.req.valid("query");
    const ask = context.req.valid("json");
    const stop = new AbortController();
    const prepared = await bundles.prepare({
      ...ask,
      ...{ platforms: choiceOf(ask.platforms), signal: stop.signal },
    });
    if (dryRun) {
      prepared.release();
      return context.json({ ...shown(prepared.report), dryRun: true as const }, 200);
    }
    const chunks = attended(prepared, ask, exporting, stop);
    const ended = (failure: unknown) => (failure === undefined ? {} : adminError(failure).body);
    const body = isFramed ? framed(chunks, ended) : chunks;
    context.header("Content-Type", isFramed ? "application/octet-stream" : "application/x-tar");
    return context.body(streamOf(body, prepared, context.env?.outgoing)) as never;
  });
}

function choiceOf(platforms: z.infer<typeof askSchema>["platforms"]) {
  if (platforms === undefined) return { kind: "stored" } as const;
  if (platforms === "all") return { kind: "all" } as const;
  return { kind: "some", platforms: platforms.map(parsePlatform) } as const;
}

function shown({ names, ...sums }: ExportReport) {
  return { ...sums, names: names.map((name) => ({ ...name, platforms: [...name.platforms] })) };
}

/** The chunks, as a job that lasts as long as they do. */
async function* attended(
  prepared: PreparedExport,
  ask: z.infer<typeof askSchema>,
  exporting: AttendedJobs,
  stop: AbortController,
): AsyncGenerator<Uint8Array> {
  const over = Promise.withResolvers<ExportReport>();
  over.promise.catch(() => undefined);
  let tell: (done: number, isWhole?: boolean) => void = () => undefined;
  const { report } = prepared;
  const job = exporting.run(`export ${ask.patterns.join(" ")}`, ask, async ({ signal, progress }) => {
    const abort = () => stop.abort(signal.reason);
    signal.addEventListener("abort", abort);
    const total = report.names.length;
    // A name is whole with the last of the bytes: they share blobs.
    tell = (done, isWhole = false) =>
      progress({ bytes: { done, total: report.size }, things: { done: isWhole ? total : 0, total } });
    return await over.promise.finally(() => signal.removeEventListener("abort", abort));
  });
  job.catch(() => undefined);
  let isWhole = false;
  try {
    yield* prepared.chunks((done) => tell(done));
    isWhole = true;
    tell(report.size, true);
  } catch (error) {
    over.reject(error);
    throw error;
  } finally {
    if (isWhole) over.resolve(report);
    else over.reject(new GranaryError("aborted", "Whoever asked for the bundle has left."));
  }
}

/**
 * A stream that nobody began to read also lets go of what it holds. One that fails cuts its connection, so that what came does not look whole;
 * why it failed, its job tells. Within this process there is no connection, and the failure is thrown.
 */
function streamOf(
  chunks: AsyncGenerator<Uint8Array>,
  prepared: PreparedExport,
  connection: AdminEnvironment["Bindings"]["outgoing"],
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const next = await chunks.next();
          if (next.done === true) controller.close();
          else controller.enqueue(next.value);
        } catch (error) {
          connection?.destroy();
          if (connection === undefined) controller.error(error);
          else controller.close();
        }
      },
      async cancel() {
        await chunks.return(undefined);
        prepared.release();
      },
    },
    { highWaterMark: 0 },
  );
}
