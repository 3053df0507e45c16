/**
 * Owns the admin face as one application over the ports of AdminParts: its routes, the one form of an error, and the OpenAPI document that is
 * made from the schemas that check the requests. Who may ask is decided before: by the mode of the socket, or by the guards of the listener.
 */
import { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { GranaryError, messageOf } from "../../errors.ts";
import { version } from "../../version.ts";
import { failureAnswer, prefersAnswers, refusalAsAnswer } from "./admin-error.ts";
import type { AdminParts } from "./admin-parts.ts";
import { apiPage } from "./api-page.ts";
import type { AdminApp, AdminEnvironment } from "./app-kind.ts";
import { refuseUnknownQueries } from "./known-query.ts";
import { pageRoutes } from "./page-files.ts";
import { accessRoutes } from "./routes/access-routes.ts";
import { authorityRoutes } from "./routes/authority-routes.ts";
import { bandwidthRoutes } from "./routes/bandwidth-routes.ts";
import { clientRoutes } from "./routes/client-routes.ts";
import { contentsRoutes } from "./routes/contents-routes.ts";
import { doctorRoutes } from "./routes/doctor-routes.ts";
import { eventRoutes } from "./routes/event-routes.ts";
import { exportRoutes } from "./routes/export-routes.ts";
import { fleetRoutes } from "./routes/fleet-routes.ts";
import { importRoutes } from "./routes/import-routes.ts";
import { jobsRoutes } from "./routes/jobs-routes.ts";
import { keepRoutes } from "./routes/keep-routes.ts";
import { offlineRoutes } from "./routes/offline-routes.ts";
import { passageRoutes } from "./routes/passage-routes.ts";
import { pastEventRoutes } from "./routes/past-event-routes.ts";
import { pullRoutes } from "./routes/pull-routes.ts";
import { reloadRoutes } from "./routes/reload-routes.ts";
import { removingRoutes } from "./routes/removing-routes.ts";
import { setupRoutes } from "./routes/setup-routes.ts";
import { statusRoutes } from "./routes/status-routes.ts";
import { trafficRoutes } from "./routes/traffic-routes.ts";
import { troubleRoutes } from "./routes/trouble-routes.ts";
import { verifyRoutes } from "./routes/verify-routes.ts";
import { warmRoutes } from "./routes/warm-routes.ts";

/** Requests are a few names and switches. */
const MOST_BODY_BYTES = 2 ** 20;

/** These bodies are read as they come, and bounded by who reads them. */
const STREAMED = new Set(["/api/v1/bundles/import"]);

const DOCUMENT = {
  openapi: "3.1.0",
  info: {
    title: "Granary",
    version,
    description:
      "Everything that can be asked of a running Granary, and done with it. With the header `Prefer: errors=200` what is refused comes with status 200 and the same `error`: browsers write each answer of another status on their console, as if the page were broken.",
  },
};

/** One line for each file of routes. */
export function createAdminApp(parts: AdminParts): AdminApp {
  const app = emptyApp(parts);
  accessRoutes(app);
  statusRoutes(app, parts);
  eventRoutes(app, parts);
  verifyRoutes(app, parts);
  jobsRoutes(app, parts);
  warmRoutes(app, parts);
  contentsRoutes(app, parts);
  removingRoutes(app, parts);
  keepRoutes(app, parts);
  reloadRoutes(app, parts);
  importRoutes(app, parts);
  exportRoutes(app, parts);
  passageRoutes(app, parts);
  trafficRoutes(app, parts);
  pullRoutes(app, parts);
  clientRoutes(app, parts);
  pastEventRoutes(app, parts);
  troubleRoutes(app, parts);
  offlineRoutes(app, parts);
  fleetRoutes(app, parts);
  setupRoutes(app, parts);
  doctorRoutes(app, parts);
  bandwidthRoutes(app, parts);
  authorityRoutes(app, parts);
  app.doc31("/api/v1/openapi.json", DOCUMENT);
  app.get("/api", (context) => context.html(apiPage(app.getOpenAPI31Document(DOCUMENT))));
  pageRoutes(app);
  return app;
}

function emptyApp({ log }: Pick<AdminParts, "log">): AdminApp {
  const app = new OpenAPIHono<AdminEnvironment>({
    defaultHook: (result) => {
      if (!result.success) throw unfit(result.target, result.error.issues);
    },
  });
  const limited = bodyLimit({
    maxSize: MOST_BODY_BYTES,
    onError: () => {
      throw new GranaryError("config-invalid", `A request has at most ${MOST_BODY_BYTES} bytes here.`);
    },
  });
  // No route reads the body of another method, and of a DELETE without one Node cannot make the Request that is counted.
  for (const method of ["post", "put", "patch"])
    app.on(method, "*", async (context, next) =>
      STREAMED.has(context.req.path) ? await next() : limited(context, next),
    );
  // The same as GET without its body. What was made of that, a stream of events perhaps, would wait for its reader for ever.
  app.use(async (context, next) => {
    await next();
    if (context.req.raw.method === "HEAD") await context.res.body?.cancel();
  });
  refuseUnknownQueries(app, () => app.getOpenAPI31Document(DOCUMENT));
  app.notFound(({ req }) => {
    const text = `There is no ${req.method} ${req.path} here; /api lists what there is.`;
    return failureAnswer(new GranaryError("not-found", text));
  });
  app.onError((error, { req }) => {
    if (!(error instanceof GranaryError) && !isHttp(error))
      log.error({ err: error, reason: messageOf(error) }, "a request to the admin face failed unexpectedly");
    const failure = isHttp(error) ? new GranaryError("config-invalid", refusalOf(error)) : error;
    return prefersAnswers(req.header("prefer")) ? refusalAsAnswer(failure) : failureAnswer(failure);
  });
  return app;
}

type Issue = { readonly path: readonly PropertyKey[]; readonly message: string };

/** Names what is wrong as the settings do: "query repair: expected a boolean"; commands show it, so a key of a body stands by itself. */
function unfit(where: string, issues: readonly Issue[]): GranaryError {
  const problems = issues.map(({ path, message }) => {
    const key = path.map(String).join(".");
    const at = where === "json" ? key || "the body" : `${where} ${key}`.trim();
    return `${at}: ${message.replace(/^Invalid input: /, "")}`;
  });
  return new GranaryError("config-invalid", sentence(problems.join("; ")));
}

/** Hono's own refusals of a request (a body that is no JSON) are Responses with a status. */
function isHttp(error: unknown): boolean {
  return error instanceof Error && "status" in error && "getResponse" in error;
}

/** A body is of one kind everywhere: in none of the kinds that a form of another site can send. */
function refusalOf(error: unknown): string {
  const isOtherKind = error instanceof Error && "status" in error && error.status === 415;
  return isOtherKind
    ? "The body is taken as JSON alone: send it with the header Content-Type: application/json."
    : sentence(messageOf(error));
}

function sentence(text: string): string {
  return `${text.replace(/\.$/, "")}.`;
}
