/**
 * Owns how the admin face tells a failure: `{"error": {"code", "message"}}` with a code of GranaryError, and the HTTP status of each code.
 * Pure. A failure that is none of ours becomes a 500 without details.
 */
import { z } from "@hono/zod-openapi";
import { type ErrorCode, GranaryError } from "../../errors.ts";
import { withoutUserInfo } from "../../oci/redact.ts";

type AdminStatus = 400 | 401 | 403 | 404 | 409 | 416 | 429 | 500 | 502 | 503;

/** What a person or a program asks wrongly is a 400 here, where the registry face has an answer of the registry API. */
const STATUS: Readonly<Record<ErrorCode, AdminStatus>> = {
  "reference-invalid": 400,
  "digest-invalid": 400,
  "config-invalid": 400,
  "path-invalid": 400,
  "route-unknown": 404,
  "not-found": 404,
  unauthorized: 401,
  denied: 403,
  "client-outdated": 502,
  "rate-limited": 429,
  "upstream-refused": 502,
  conflict: 409,
  "range-unsatisfiable": 416,
  "digest-mismatch": 502,
  "size-mismatch": 502,
  "manifest-invalid": 502,
  "upstream-unavailable": 502,
  "upstream-protocol": 502,
  "fleet-unavailable": 503,
  "store-full": 503,
  "store-damaged": 500,
  aborted: 503,
  closed: 503,
};

const CODES = Object.keys(STATUS) as [ErrorCode, ...ErrorCode[]];

/** What happened. */
export const codeSchema = z
  .enum(CODES)
  .openapi({ description: "What happened; docs/architecture.md lists the codes." });

export const errorSchema = z
  .object({
    error: z.object({
      code: codeSchema,
      message: z.string().openapi({ description: "A sentence for people, with the values in it." }),
    }),
  })
  .openapi("Error");

type AdminErrorBody = z.infer<typeof errorSchema>;

/** The sentence is the same as on the command line; a login inside a URL is never part of it. */
export function adminError(error: unknown): { readonly status: AdminStatus; readonly body: AdminErrorBody } {
  if (!(error instanceof GranaryError)) {
    const message = "Something unexpected went wrong; the log of the server says what.";
    return { status: 500, body: { error: { code: "store-damaged", message } } };
  }
  const { code, message } = error;
  return { status: STATUS[code], body: { error: { code, message: withoutUserInfo(message) } } };
}

/** The same as an answer. */
export function failureAnswer(error: unknown): Response {
  const { status, body } = adminError(error);
  const headers = new Headers();
  if (status === 401) headers.set("WWW-Authenticate", 'Bearer realm="granary"');
  const waitMs = error instanceof GranaryError ? error.facts.retryAfterMs : undefined;
  if (waitMs !== undefined) headers.set("Retry-After", String(Math.ceil(waitMs / 1000)));
  return Response.json(body, { status, headers });
}

const AS_ANSWERS = "errors=200";

/** Whether whoever asks wants what is refused as an answer like others (RFC 7240: preferences stand in a list, and unknown ones are passed over). */
export function prefersAnswers(prefer = ""): boolean {
  return prefer.split(",").some((each) => each.trim().toLowerCase() === AS_ANSWERS);
}

/** The same failure with status 200. What went wrong unexpectedly keeps its status: that is a fault, for everybody. */
export function refusalAsAnswer(error: unknown): Response {
  if (!(error instanceof GranaryError)) return failureAnswer(error);
  return Response.json(adminError(error).body, { headers: { "Preference-Applied": AS_ANSWERS } });
}
