/** Owns the type of the application that route files add to, apart from app.ts, which imports all of them. */
import type { HttpBindings } from "@hono/node-server";
import type { OpenAPIHono } from "@hono/zod-openapi";

/** Node's request and answer are there where it is asked over a connection, and not within this process. */
export type AdminEnvironment = { readonly Bindings: Partial<HttpBindings> };

export type AdminApp = OpenAPIHono<AdminEnvironment>;
