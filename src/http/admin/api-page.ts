/** Owns `/api`: the OpenAPI document as a page for people. It is made from the document, so it says what the schemas say. */
import { html } from "hono/html";
import { asObject, textOf } from "../../oci/json-value.ts";
import { htmlPage } from "./html-page.ts";

type Route = {
  readonly method: string;
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly parameters: readonly unknown[];
};

export function apiPage(document: unknown) {
  const groups = [...Map.groupBy(routesOf(document), ({ tag }) => tag)];
  const body = html`<h1>Granary's API</h1>
<p>Everything that the commands and the page do goes through it. Answers are JSON; an error is
<code>{"error": {"code", "message"}}</code>. Where a token is asked for, send it as <code>Authorization: Bearer TOKEN</code>.
Programs read <a href="/api/v1/openapi.json">the OpenAPI document</a>, which has every schema.</p>
${groups.map(([tag, routes]) => html`<h2>${tag}</h2><dl>${routes.map(routeItem)}</dl>`)}`;
  return htmlPage({ title: "Granary's API", body }, "wide");
}

function routesOf(document: unknown): Route[] {
  const paths = Object.entries(asObject(asObject(document)?.paths) ?? {});
  return paths.flatMap(([path, methods]) =>
    Object.entries(asObject(methods) ?? {}).map(([method, operation]) => {
      const { summary, tags, parameters } = asObject(operation) ?? {};
      const [tag] = Array.isArray(tags) ? tags : [];
      return {
        method: method.toUpperCase(),
        path,
        tag: textOf(tag) ?? "other",
        summary: textOf(summary) ?? "",
        parameters: Array.isArray(parameters) ? parameters : [],
      };
    }),
  );
}

function routeItem({ method, path, summary, parameters }: Route) {
  return html`<dt><code>${method} ${path}</code></dt><dd>${summary}.${parameters.map(parameterLine)}</dd>`;
}

function parameterLine(parameter: unknown) {
  const { name, required, schema, description } = asObject(parameter) ?? {};
  const shape = asObject(schema) ?? {};
  const choices = Array.isArray(shape.enum) ? shape.enum.join(", ") : textOf(shape.type);
  const words = [
    choices,
    required === true ? "required" : "",
    textOf(shape.description) ?? textOf(description),
  ];
  return html`<br><code>${textOf(name) ?? ""}</code>: ${words.filter(Boolean).join("; ")}`;
}
