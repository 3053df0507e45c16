/**
 * Owns that no parameter of a query is passed over: a mistyped `dryrun` would do what it was only to try. What a route takes is what the
 * OpenAPI document says of it, so no route has a line here.
 */
import { matchedRoutes } from "hono/route";
import { GranaryError } from "../../errors.ts";
import { asObject, textOf } from "../../oci/json-value.ts";
import type { AdminApp } from "./app-kind.ts";

/** Names of parameters, by method and path as Hono writes them: "GET /api/v1/jobs/:id". */
type KnownNames = ReadonlyMap<string, readonly string[]>;

/** Before the routes; `document` is asked for once, after all of them are there. */
export function refuseUnknownQueries(app: AdminApp, document: () => unknown): void {
  let known: KnownNames | undefined;
  app.use(async (context, next) => {
    known ??= namesIn(document());
    const { method, url } = context.req.raw;
    const wanted = method === "HEAD" ? "GET" : method;
    const routes = matchedRoutes(context).map(({ path }) => known?.get(`${wanted} ${path}`));
    const names = routes.find((each) => each !== undefined);
    const asked = names === undefined ? [] : [...new URL(url).searchParams.keys()];
    const unknown = asked.find((name) => names?.includes(name) === false);
    if (unknown !== undefined) throw unknownName(unknown, names ?? []);
    await next();
  });
}

function namesIn(document: unknown): KnownNames {
  const paths = Object.entries(asObject(asObject(document)?.paths) ?? {});
  return new Map(
    paths.flatMap(([path, methods]) =>
      Object.entries(asObject(methods) ?? {}).map(
        ([method, operation]) =>
          [
            `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`,
            queryNames(asObject(operation)?.parameters),
          ] as const,
      ),
    ),
  );
}

function queryNames(parameters: unknown): string[] {
  const found = Array.isArray(parameters) ? parameters.map(asObject) : [];
  return found.filter((each) => each?.in === "query").flatMap((each) => textOf(each?.name) ?? []);
}

const MOST_SHOWN = 40;

function unknownName(name: string, names: readonly string[]): GranaryError {
  const there = names.length === 0 ? "it takes none" : `it takes ${names.join(", ")}`;
  const shown = JSON.stringify(name.slice(0, MOST_SHOWN));
  return new GranaryError("config-invalid", `query: no such parameter here: ${shown}; ${there}.`);
}
