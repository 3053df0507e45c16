/** Owns the type of the application that route files add to, apart from app.ts, which imports all of them. */
import type { HttpBindings } from "@hono/node-server";
import type { OpenAPIHono } from "@hono/zod-openapi";

/** What a visitor may do beyond reading, and whether a token would let them do more. */
export type VisitorAccess = { readonly mayChange: boolean; readonly needsToken: boolean };

/** Node's request and answer are there where it is asked over a connection, and not within this process; `access` where a guard stands before it. */
export type AdminEnvironment = {
  readonly Bindings: Partial<HttpBindings> & { readonly access?: VisitorAccess };
};

export type AdminApp = OpenAPIHono<AdminEnvironment>;

/** What a listener needs of it. */
export type AnsweringApp = Pick<AdminApp, "fetch">;
