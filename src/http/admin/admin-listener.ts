/** Owns the way from Node's requests to the admin application and back; hono has its home in this room. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener, RequestError } from "@hono/node-server";
import { GranaryError } from "../../errors.ts";
import { failureAnswer } from "./admin-error.ts";
import type { AnsweringApp } from "./app-kind.ts";
import type { GuardedApp } from "./guards/guarded-app.ts";

/** Answers one request. Never throws. */
export type AdminListener = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

export function adminListener(app: AnsweringApp | Pick<GuardedApp, "fetch">): AdminListener {
  const options = { hostname: "localhost", overrideGlobalObjects: false, errorHandler: unread };
  const answer = getRequestListener(app.fetch, options);
  return (incoming, outgoing) => void answer(incoming, outgoing);
}

/** Of a target or a Host out of which no URL can be made the application never hears. */
function unread(error: unknown): Response {
  const text = "This request cannot be read: its target, or its Host header, is not one of HTTP.";
  return failureAnswer(error instanceof RequestError ? new GranaryError("config-invalid", text) : error);
}
