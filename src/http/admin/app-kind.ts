/** Owns the type of the application that route files add to, apart from app.ts, which imports all of them. */
import type { OpenAPIHono } from "@hono/zod-openapi";

export type AdminApp = OpenAPIHono;
