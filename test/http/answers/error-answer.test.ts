/** Shows what each failure becomes on the wire: status, code of the specification, Retry-After, and no details of ours. */
import { expect, test } from "vitest";
import { type ErrorCode, type ErrorFacts, GranaryError } from "../../../src/errors.ts";
import { type ErrorContext, errorAnswer } from "../../../src/http/answers/error-answer.ts";

const context: ErrorContext = { kind: "manifest", rateLimitedStatus: 429 };

function answerTo(code: ErrorCode, facts: ErrorFacts = {}, overrides: Partial<ErrorContext> = {}) {
  const answer = errorAnswer(new GranaryError(code, "A sentence.", facts), { ...context, ...overrides });
  const body = JSON.parse(answer.body) as { errors: { code: string; message: string }[] };
  return { ...answer, code: body.errors[0]?.code, message: body.errors[0]?.message };
}

test.each<[ErrorCode, number, string]>([
  ["reference-invalid", 400, "NAME_INVALID"],
  ["digest-invalid", 400, "DIGEST_INVALID"],
  ["route-unknown", 404, "NAME_UNKNOWN"],
  ["not-found", 404, "MANIFEST_UNKNOWN"],
  ["denied", 403, "DENIED"],
  ["unauthorized", 502, "UNAVAILABLE"],
  ["rate-limited", 429, "TOOMANYREQUESTS"],
  ["range-unsatisfiable", 416, "UNSUPPORTED"],
  ["digest-mismatch", 502, "UNAVAILABLE"],
  ["size-mismatch", 502, "UNAVAILABLE"],
  ["manifest-invalid", 502, "UNAVAILABLE"],
  ["upstream-protocol", 502, "UNAVAILABLE"],
  ["upstream-unavailable", 502, "UNAVAILABLE"],
  ["store-full", 503, "UNAVAILABLE"],
  ["aborted", 503, "UNAVAILABLE"],
  ["closed", 503, "UNAVAILABLE"],
  ["store-damaged", 500, "UNKNOWN"],
  ["fleet-unavailable", 503, "UNAVAILABLE"],
  ["config-invalid", 500, "UNKNOWN"],
])("%s is a %d with %s, in JSON", (code, status, ociCode) => {
  expect(answerTo(code)).toMatchObject({
    status,
    code: ociCode,
    message: "A sentence.",
    contentType: "application/json",
  });
});

test("a blob that is not there has the code of blobs, a repository that of names", () => {
  expect(answerTo("not-found", {}, { kind: "blob" }).code).toBe("BLOB_UNKNOWN");
  expect(answerTo("not-found", {}, { kind: "tags" }).code).toBe("NAME_UNKNOWN");
});

test.each([
  [429, 429, "TOOMANYREQUESTS"],
  [503, 503, "UNAVAILABLE"],
  [404, 404, "MANIFEST_UNKNOWN"],
] as const)("the policy %d decides what a rate limit looks like", (rateLimitedStatus, status, code) => {
  const answer = answerTo("rate-limited", { retryAfterMs: 90_500 }, { rateLimitedStatus });
  expect(answer).toMatchObject({ status, code, retryAfterSeconds: status === 404 ? undefined : 91 });
});

test("what may pass says when to come back, what will not does not", () => {
  expect(answerTo("upstream-unavailable").retryAfterSeconds).toBe(5);
  expect(answerTo("upstream-unavailable", { retryAfterMs: 1 }).retryAfterSeconds).toBe(1);
  expect(answerTo("closed").retryAfterSeconds).toBe(5);
  expect(answerTo("not-found").retryAfterSeconds).toBeUndefined();
  expect(answerTo("store-damaged").retryAfterSeconds).toBeUndefined();
});

test("the Ollama registry's words about an old client pass as they are", () => {
  const text = "\n\nThe model you are attempting to pull requires a newer version of Ollama.\n";
  const answer = errorAnswer(new GranaryError("client-outdated", "x", { upstreamText: text }), context);
  expect(answer).toMatchObject({ status: 412, body: text, contentType: "text/plain; charset=utf-8" });
  const json = errorAnswer(
    new GranaryError("client-outdated", "x", { upstreamText: '{"error":"old"}' }),
    context,
  );
  expect(json).toMatchObject({ status: 412, body: '{"error":"old"}', contentType: "application/json" });
});

test("an error that is none of ours tells a client nothing", () => {
  const answer = errorAnswer(new Error("password hunter2 at /srv/data"), context);
  expect(answer.status).toBe(500);
  expect(answer.body).not.toContain("hunter2");
  expect(answer.body).not.toContain("/srv");
});

test("a client hears what happened, and not which URL was asked for it", () => {
  const facts = { reason: "harbor.lab answered 502" };
  expect(answerTo("upstream-unavailable", facts).message).toBe("harbor.lab answered 502.");
});

test("what refers to a digest is never said to be nothing because nobody could be asked", () => {
  const referrers = { kind: "referrers", rateLimitedStatus: 404 } as const;
  for (const [code, status] of [
    ["rate-limited", 429],
    ["upstream-unavailable", 503],
  ] as const)
    expect(errorAnswer(new GranaryError(code, "x"), referrers)).toMatchObject({
      status,
      retryAfterSeconds: 5,
    });
});
