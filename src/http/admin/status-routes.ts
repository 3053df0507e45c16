/** Owns what operators and probes ask: alive, ready, and the metrics. None of it says anything about content. */
import type { ServerResponse } from "node:http";
import { messageOf } from "../../errors.ts";
import type { Log } from "../../observe/log.ts";
import { respondJson } from "../answers/respond.ts";
import type { Services } from "../exchange.ts";

export type StatusRoute = (services: Services, outgoing: ServerResponse, log: Log) => Promise<void>;

export const METRICS_PATH = "/metrics";

export const STATUS_ROUTES: ReadonlyMap<string, StatusRoute> = new Map<string, StatusRoute>([
  ["/healthz", async (_, outgoing) => respondJson(outgoing, 200, '{"status":"alive"}')],
  ["/readyz", answerReady],
  [METRICS_PATH, answerMetrics],
]);

/**
 * Ready means that clients can be served: upstreams may be down, the disk full, the database out of order, and what is held or can be
 * passed through is served all the same. So such trouble is told (`degraded`) under 200: whoever sends clients elsewhere for it would
 * make an outage of it.
 */
async function answerReady({ mirror }: Services, outgoing: ServerResponse, log: Log): Promise<void> {
  try {
    const { troubles } = await mirror.status();
    const body = troubles.length === 0 ? { status: "ready" } : { status: "degraded", troubles };
    respondJson(outgoing, 200, JSON.stringify(body));
  } catch (error) {
    log.error({ reason: messageOf(error) }, "not ready");
    respondJson(outgoing, 503, '{"status":"not ready"}');
  }
}

async function answerMetrics({ mirror, metrics }: Services, outgoing: ServerResponse): Promise<void> {
  // Asking for the status brings the gauges of the moment up to date.
  await mirror.status();
  respondJson(outgoing, 200, await metrics.registry.metrics(), [], metrics.registry.contentType);
}
