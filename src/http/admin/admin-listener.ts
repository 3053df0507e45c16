/** Owns the way from Node's requests to the admin application and back; hono has its home in this room. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import type { AdminApp } from "./app-kind.ts";
import type { GuardedApp } from "./guards/guarded-app.ts";

/** Answers one request. Never throws. */
export type AdminListener = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

export function adminListener(app: Pick<AdminApp | GuardedApp, "fetch">): AdminListener {
  const answer = getRequestListener(app.fetch, { hostname: "localhost", overrideGlobalObjects: false });
  return (incoming, outgoing) => void answer(incoming, outgoing);
}
