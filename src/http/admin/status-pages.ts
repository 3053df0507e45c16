/**
 * Owns what operators and probes ask, as a Hono application: alive, ready, and the metrics. None of it says anything about content, and
 * who may ask is decided before (request-listener.ts).
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { messageOf } from "../../errors.ts";
import type { Mirror } from "../../mirror/mirror.ts";
import type { Observers } from "../../observe/observers.ts";

type StatusParts = Pick<Observers, "log" | "metrics"> & { readonly mirror: Pick<Mirror, "status"> };

/** Answers a request for one of the pages. Never throws. */
export type StatusPages = (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>;

type StatusPage = {
  /** True when it is answered without a login as well, because probes have none. The metrics are not for everybody. */
  readonly isOpen: boolean;
};

const PAGES: ReadonlyMap<string, StatusPage> = new Map([
  ["/healthz", { isOpen: true }],
  ["/readyz", { isOpen: true }],
  ["/metrics", { isOpen: false }],
]);

/** The page at this path; undefined where there is none. For paths alone: a target that is a URL means a page of another host. */
export function statusPageOf(rawPath: string): StatusPage | undefined {
  return PAGES.get(rawPath);
}

export function createStatusPages({ mirror, metrics, log }: StatusParts): StatusPages {
  const app = new Hono();
  app.get("/healthz", (context) => context.json({ status: "alive" }));
  app.get("/readyz", async (context) => {
    try {
      return context.json(await readiness(mirror));
    } catch (error) {
      const reason = messageOf(error);
      log.error({ reason }, "not ready");
      return context.json({ status: "not ready", troubles: [reason] }, 503);
    }
  });
  app.get("/metrics", async (context) => {
    // Asking for the status brings the gauges of the moment up to date.
    await mirror.status();
    return context.body(await metrics.registry.metrics(), 200, {
      "Content-Type": metrics.registry.contentType,
    });
  });
  app.onError((error, context) => {
    log.error({ reason: messageOf(error) }, "a status page failed");
    return context.json({ status: "failed" }, 503);
  });
  const answer = getRequestListener(app.fetch, {
    // For HTTP/1.0, which may leave the Host out.
    hostname: "localhost",
    overrideGlobalObjects: false,
    autoCleanupIncoming: false,
  });
  return async (incoming, outgoing) => {
    await answer(incoming, outgoing);
  };
}

/**
 * Ready means that clients can be served: upstreams may be down, the disk full, the database out of order, and what is stored or can be
 * passed through is served all the same. So such trouble is told (`degraded`) with status 200: a load balancer that sent clients
 * elsewhere because of it would turn it into an outage.
 */
async function readiness(mirror: Pick<Mirror, "status">) {
  const { troubles } = await mirror.status();
  return troubles.length === 0 ? { status: "ready" } : { status: "degraded", troubles };
}
