/**
 * Owns the Hono application of one listener: status routes for origin-form requests, the registry for all others. Every
 * handler answers on the Node response itself, so that no web stream and no Response object stands in a body's way.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import { messageOf } from "../errors.ts";
import { METRICS_PATH, STATUS_ROUTES } from "./admin/status-routes.ts";
import { respondJson } from "./answers/respond.ts";
import type { Account } from "./exchange.ts";
import { refuseClient } from "./registry/login.ts";
import { answerRegistry, type RegistryRoutes } from "./registry/registry-routes.ts";

export type AppBindings = {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly account: Account;
};

export function createApp(routes: RegistryRoutes): Hono<{ Bindings: AppBindings }> {
  const app = new Hono<{ Bindings: AppBindings }>();
  for (const [path, answer] of STATUS_ROUTES) {
    app.get(path, async (context, next) => {
      const { incoming, outgoing, account } = context.env;
      // An absolute-form request means another host's page, and a path that only resolves to this one is none of ours.
      if (incoming.url?.split("?")[0] !== path) return await next();
      account.kind = "status";
      // Probes have no login; what the metrics tell is not for everybody.
      if (path === METRICS_PATH && routes.checkLogin?.(incoming.headers.authorization) === false) {
        refuseClient(outgoing);
      } else await answer(routes, outgoing, routes.log);
      return RESPONSE_ALREADY_SENT;
    });
  }
  app.all("*", async (context) => {
    const { incoming, outgoing, account } = context.env;
    await answerRegistry(routes, incoming, outgoing, account);
    return RESPONSE_ALREADY_SENT;
  });
  // Only status routes can get here: the registry answers its own failures.
  app.onError((error, { env: { outgoing } }) => {
    routes.log.error({ reason: messageOf(error) }, "a status page failed");
    respondJson(outgoing, 503, '{"status":"failed"}');
    return RESPONSE_ALREADY_SENT;
  });
  return app;
}
