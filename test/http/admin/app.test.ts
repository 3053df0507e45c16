/** Shows what every route of the admin face has in common: one form of an error, and a document that describes all of them. */
import { expect, test } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import type { AdminParts } from "../../../src/http/admin/admin-parts.ts";
import { createAdminApp } from "../../../src/http/admin/app.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { openRecords } from "../../../src/records/records.ts";

/** A Mirror that fails in the way that is asked for. */
function appWith(status: () => Promise<never>) {
  const parts: Pick<AdminParts, "mirror" | "records"> = {
    records: openRecords({ clock: systemClock }),
    mirror: { status },
  };
  return createAdminApp({ ...parts, log: silentLog, clock: systemClock, startedAt: 0 } as AdminParts);
}

const failing = (error: unknown) => appWith(() => Promise.reject(error));

async function answerOf(app: ReturnType<typeof appWith>, path: string, init: RequestInit = {}) {
  const answer = await app.request(path, init);
  return { status: answer.status, type: answer.headers.get("content-type"), body: await answer.json() };
}

test("a failure is told with its code and its sentence, and a status that fits it", async () => {
  const refused = new GranaryError("denied", "It is private.");
  expect(await answerOf(failing(refused), "/api/v1/status")).toEqual({
    status: 403,
    type: "application/json",
    body: { error: { code: "denied", message: "It is private." } },
  });
  const secret = new GranaryError("upstream-unavailable", "https://me:secret@lab.test answered 502.");
  const { status, body } = await answerOf(failing(secret), "/api/v1/status");
  expect(status).toBe(502);
  expect(JSON.stringify(body)).not.toContain("secret");
});

test("whoever prefers it gets what is refused as an answer, so that no browser writes it on its console", async () => {
  const headers = { Prefer: "respond-async, errors=200" };
  const app = failing(new GranaryError("denied", "It is private."));
  const refused = await app.request("/api/v1/status", { headers });
  expect([refused.status, refused.headers.get("preference-applied")]).toEqual([200, "errors=200"]);
  expect(await refused.json()).toEqual({ error: { code: "denied", message: "It is private." } });
  expect((await answerOf(app, "/api/v1/keep?no=1", { headers })).status).toBe(200);
  // What is broken is broken for everybody.
  expect((await answerOf(failing(new Error("a bug")), "/api/v1/status", { headers })).status).toBe(500);
  expect((await answerOf(app, "/api/v1/nothing", { headers })).status).toBe(404);
});

test("a failure that nobody foresaw gives nothing away", async () => {
  const { status, body } = await answerOf(failing(new Error("password hunter2")), "/api/v1/status");
  expect(status).toBe(500);
  expect(JSON.stringify(body)).not.toContain("hunter2");
});

test.each([
  ["a path that is none", "/api/v1/nothing", {}, 404, "not-found", "There is no GET /api/v1/nothing here"],
  [
    "a query that does not fit",
    "/api/v1/verify?repair=perhaps",
    { method: "POST" },
    400,
    "config-invalid",
    "query repair",
  ],
  ["a method that is none", "/api/v1/status", { method: "DELETE" }, 404, "not-found", "There is no DELETE"],
  [
    "a body that is too long",
    "/api/v1/verify",
    { method: "POST", body: "x".repeat(2 ** 20 + 1) },
    400,
    "config-invalid",
    "at most 1048576 bytes",
  ],
])("%s is told in the same form", async (_, path, init, status, code, sentence) => {
  const told = await answerOf(failing(new Error("not reached")), path, init);
  expect(told).toMatchObject({
    status,
    body: { error: { code, message: expect.stringContaining(sentence) } },
  });
});

test("the OpenAPI document describes every route, with a summary, a tag and the form of errors", async () => {
  const { body } = await answerOf(failing(new Error("not reached")), "/api/v1/openapi.json");
  const { openapi, paths } = body as {
    openapi: string;
    paths: Record<string, Record<string, { summary?: string; tags?: string[] }>>;
  };
  expect(openapi).toBe("3.1.0");
  expect(Object.keys(paths)).toEqual(expect.arrayContaining(["/api/v1/status", "/api/v1/verify"]));
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, { summary, tags }] of Object.entries(methods)) {
      expect(path, `${method} ${path}`).toMatch(/^\/api\/v1\//);
      expect(summary, `${method} ${path}`).toBeTruthy();
      expect(tags, `${method} ${path}`).toHaveLength(1);
    }
  }
});

test("people read the same at /api, where every route stands, and the page is at /", async () => {
  const app = failing(new Error("not reached"));
  const { body } = await answerOf(app, "/api/v1/openapi.json");
  const page = await (await app.request("/api")).text();
  for (const path of Object.keys((body as { paths: object }).paths)) expect(page).toContain(`${path}</code>`);
  expect(page).toContain("<code>repair</code>: boolean");
  expect(page).not.toMatch(/<script|<link|https?:\/\//);
  const home = await app.request("/");
  expect([home.status, home.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
});

type Operation = {
  parameters?: { name: string; in: string }[];
  requestBody?: { content: Record<string, { schema: { additionalProperties?: unknown } }> };
};

async function operations() {
  const { body } = await answerOf(failing(new Error("not reached")), "/api/v1/openapi.json");
  const { paths } = body as { paths: Record<string, Record<string, Operation>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
}

test("what is mistyped in a query or a body is refused, and not passed over: dryrun=true would do it for real", async () => {
  const app = failing(new Error("not reached"));
  for (const { path, method, operation } of await operations()) {
    const target = `${path.replaceAll(/\{\w+\}/g, "1")}?dryrun=true`;
    const told = await answerOf(app, target, { method });
    expect(told.status, `${method} ${target}`).toBe(400);
    expect(JSON.stringify(told.body), `${method} ${target}`).toContain(
      'no such parameter here: \\"dryrun\\"',
    );
    const json = operation.requestBody?.content["application/json"];
    if (json !== undefined)
      expect(json.schema.additionalProperties, `the body of ${method} ${path}`).toBe(false);
  }
});

test("a body of another kind is refused with what to send", async () => {
  const init = { method: "POST", body: '{"pattern":"alpine"}', headers: { "content-type": "text/plain" } };
  const { status, body } = await answerOf(failing(new Error("not reached")), "/api/v1/keep", init);
  expect(status).toBe(400);
  expect(JSON.stringify(body)).toContain("Content-Type: application/json");
});

/** Its lists have nothing in them. */
function withoutAnything() {
  return createAdminApp({
    records: openRecords({ clock: systemClock }),
    jobs: { list: () => [] },
    log: silentLog,
    clock: systemClock,
  } as unknown as AdminParts);
}

test.each(["/api/v1/jobs", "/api/v1/pulls", "/api/v1/events/past", "/api/v1/traffic", "/api/v1/contents"])(
  "%s refuses pages that there are not",
  async (path) => {
    const app = withoutAnything();
    for (const query of ["limit=0", "limit=-1", "limit=1e9", "limit=2.5", "limit=", "limit=1&limit=2"])
      expect((await answerOf(app, `${path}?${query}`)).status, query).toBe(400);
  },
);

test.each(["/api/v1/jobs", "/api/v1/pulls", "/api/v1/events/past", "/api/v1/traffic"])(
  "%s refuses a place that it never gave as its next",
  async (path) => {
    const app = withoutAnything();
    for (const after of ["garbage", "-1", "1e999", "1.5"])
      expect((await answerOf(app, `${path}?after=${after}`)).status, after).toBe(400);
    expect((await answerOf(app, `${path}?after=1`)).status).toBe(200);
  },
);

test("a list of jobs says of how many names or findings a job came to nothing", async () => {
  const job = (id: number, kind: string, result: unknown) => ({
    ...{
      id,
      kind,
      title: kind,
      state: "done",
      startedAt: 1,
      endedAt: 2,
      input: {},
      notes: [],
      resumes: 0,
      result,
    },
    progress: { bytes: { done: 0, total: 0 }, things: { done: 0, total: 0 } },
  });
  const jobs = [
    job(4, "warm", { counts: { here: 0, brought: 1, failed: 2 } }),
    job(3, "verify", {
      findings: [
        { kind: "missing", isRepaired: false },
        { kind: "missing", isRepaired: true },
        { kind: "stranger", isRepaired: false },
      ],
    }),
    job(2, "import", { names: [{ outcome: "damaged" }, { outcome: "imported" }, { outcome: "kept" }] }),
    job(1, "export", { names: [{ name: "alpine" }] }),
  ];
  const app = createAdminApp({
    records: openRecords({ clock: systemClock }),
    jobs: { list: () => jobs },
    log: silentLog,
    clock: systemClock,
  } as unknown as AdminParts);
  const { body } = await answerOf(app, "/api/v1/jobs");
  const { items } = body as { items: { failures?: number }[] };
  expect(items.map(({ failures }) => failures)).toEqual([2, 1, 1, undefined]);
});
