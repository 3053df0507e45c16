/**
 * Owns `GET /api/v1/events`: what happens, as it happens, and a snapshot of everything each second, as server-sent events (HTML Standard, 9.2).
 * Who comes again with `Last-Event-ID` gets the events in between, as far as they are in memory.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { stream } from "hono/streaming";
import type { ToldEvent } from "../../../records/event.ts";
import { plainAddress } from "../../request-log.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { EventListeners } from "../event-listeners.ts";
import { EventQueue } from "../event-queue.ts";
import { flag } from "../route-shapes.ts";
import { Snapshots } from "../snapshots.ts";
import { statusOf } from "./status-routes.ts";

/** How long a browser waits before it comes again. */
const RETRY_MS = 2_000;

const getEvents = createRoute({
  method: "get",
  path: "/api/v1/events",
  tags: ["status"],
  summary: "What happens, as it happens, and a snapshot each second",
  request: {
    query: z.object({
      snapshots: flag.default(true),
      lastEventId: z.coerce.number().int().nonnegative().optional().openapi({
        description:
          "As the header Last-Event-ID: events after this one come first. Without both, only new ones come.",
      }),
    }),
  },
  responses: {
    200: {
      description:
        "`event: snapshot` has the answer of /api/v1/status as its data, and no id; `event: event` has an id, a kind, a sentence and facts.",
      content: { "text/event-stream": { schema: z.string() } },
    },
    500: { description: "Why not, in the form of every error." },
  },
});

export function eventRoutes(
  app: AdminApp,
  parts: Pick<AdminParts, "mirror" | "records" | "clock" | "startedAt">,
): void {
  const { events } = parts.records;
  const snapshots = new Snapshots(() => statusOf(parts), parts.clock);
  const listeners = new EventListeners(RETRY_MS);

  app.openapi(getEvents, (context) => {
    const query = context.req.valid("query");
    const last = lastSeen(context.req.header("last-event-id")) ?? query.lastEventId;
    context.header("Content-Type", "text/event-stream");
    // Some proxies keep a stream back until they have a lot of it.
    context.header("X-Accel-Buffering", "no");
    const leavePlace = listeners.enter(plainAddress(context.env?.incoming?.socket.remoteAddress));
    return stream(context, async (body) => {
      const queue = new EventQueue();
      const leave = [leavePlace, events.subscribe((event) => queue.event(eventText(event)))];
      queue.event(`retry: ${RETRY_MS}\n\n`);
      if (last !== undefined) for (const event of events.since(last)) queue.event(eventText(event));
      if (query.snapshots)
        leave.push(snapshots.subscribe((json) => queue.snapshot(`event: snapshot\ndata: ${json}\n\n`)));
      body.onAbort(() => queue.end());
      try {
        for (let text = await queue.next(); text !== undefined; text = await queue.next())
          await queue.sent(body.write(text));
      } finally {
        for (const end of leave) end();
      }
    });
  });
}

/** JSON has no line break in it, so one line of data holds it. */
function eventText(event: ToldEvent): string {
  return `id: ${event.id}\nevent: event\ndata: ${JSON.stringify(event)}\n\n`;
}

function lastSeen(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}
