/** Shows that a person reads why a registry refused, in its own words, whether it was asked through a Granary or directly. */
import { expect, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { addModel, modelOf } from "../support/models.ts";
import { runMain } from "../support/run-main.ts";
import { serveMemory } from "../support/serve-memory.ts";
import { startFake } from "../support/start-upstream.ts";

const SHARDED = "The specified tag is a sharded \u001b[31mGGUF. Ollama does not support this yet.";

test.each([
  [400, { error: SHARDED }, /answered 400: .*sharded GGUF. Ollama does not support this yet\.\n$/],
  [451, { errors: [{ message: "one." }, { message: "two" }] }, /answered 451: one; two\.\n$/],
  [403, { errors: [{ message: "Access is restricted" }] }, /answered 403: Access is restricted\. .*login/s],
  [404, { errors: [{ message: "expired in May" }] }, /There is no .* The registry says: expired in May\. /],
  [502, { errors: [{ message: "back at noon" }] }, /answered 502: back at noon\.\n$/],
])("asked directly: %i", async (status, body, expected) => {
  const fake = await startFake({ mode: "plain" });
  const headers = { "content-type": "application/json" };
  const fault = { kind: "status", status, body: JSON.stringify(body), headers } as const;
  fake.fail(/manifests/, fault, { times: Number.POSITIVE_INFINITY });
  const { code, err } = await runMain(["image", "digest", `${fake.host}/a/b:t`]);
  expect(code).toBeGreaterThan(0);
  expect(err).toMatch(expected);
  expect(err.replace(/\n$/, "")).not.toMatch(/\p{Cc}/u);
});

test.each([
  ["pull newer models with a newer version", "text/plain"],
  [
    JSON.stringify({ errors: [{ code: "X", message: "pull newer models with a newer version" }] }),
    "application/json",
  ],
])("a version that is refused hears why, in whatever form: %s", async (body, type) => {
  const fake = await startFake({ mode: "plain" });
  const fault = { kind: "status", status: 412, body, headers: { "content-type": type } } as const;
  fake.fail(/manifests/, fault, { times: Number.POSITIVE_INFINITY });
  const { err } = await runMain(["model", "manifest", `${fake.host}/me/tiny:q4`]);
  expect(err).toMatch(/answered 412: pull newer models with a newer version\.\n$/);
});

test.each([
  [
    new GranaryError("upstream-refused", "x", {
      upstreamStatus: 400,
      told: told(SHARDED),
      reason: "hf.co answered 400",
    }),
    /answered 400: .*sharded/,
  ],
  [
    new GranaryError("upstream-unavailable", "x", {
      upstreamStatus: 503,
      told: told("noon"),
      reason: "hf.co answered 503",
    }),
    /answered 502: hf\.co answered 503: noon\.\n$/,
  ],
  [
    new GranaryError("denied", "It is private. Log in to Granary."),
    /answered 403: It is private\. Log in to Granary\. /,
  ],
])("asked through a Granary: %s", async (failure, expected) => {
  await using server = await serveMemory();
  server.mirror.failure = failure;
  const { err } = await runMain(["image", "digest", "a/b:t", "--via", `http://127.0.0.1:${server.hub}`]);
  expect(err).toMatch(expected);
  expect(err).not.toContain("check the address");
});

test("why the Ollama registry refuses a version (412), whether it is asked directly or through a Granary", async () => {
  const text = "This model needs a newer\u001b[31m version of Ollama.";
  const expected = /This model needs a newer version of Ollama\.\n$/;
  const fake = await startFake({
    mode: "ollama",
    settings: { outdated: { unlessUserAgent: /^none$/, text } },
  });
  fake.addImage("library/model", "7b", { layers: [100] });
  for (const verb of ["manifest", "digest"]) {
    const direct = await runMain(["model", verb, `${fake.host}/library/model:7b`]);
    expect(direct.code).toBeGreaterThan(0);
    expect(direct.err, verb).toMatch(expected);
  }
  await using server = await serveMemory();
  server.mirror.failure = new GranaryError("client-outdated", "x", {
    upstreamStatus: 412,
    upstreamText: text,
  });
  const via = ["--via", `http://127.0.0.1:${server.ollama}`];
  const { err } = await runMain(["model", "manifest", "model:7b", ...via]);
  expect(err).toMatch(expected);
});

test.each([
  [
    "health says why it is not ready",
    new Error("the database is gone"),
    [],
    /not ready: it answers 503, the database is gone\.\n$/,
  ],
  ["health tells trouble", undefined, ["The disk is full."], /is ready, with trouble: The disk is full\.\n$/],
])("%s", async (_, failure, troubles, expected) => {
  await using server = await serveMemory();
  server.mirror.statusFailure = failure;
  server.mirror.troubles = troubles;
  const url = `http://127.0.0.1:${server.hub}`;
  const { out } = await runMain(["health", "--url", url]);
  expect(out).toMatch(expected);
  const { out: json } = await runMain(["health", "--url", url, "--json"]);
  expect(JSON.parse(json)).toMatchObject({ ready: failure === undefined, troubles: [expect.any(String)] });
});

test("a blob that is gone is told with the registry's reason", async () => {
  const fake = await startFake({ mode: "plain" });
  addModel(fake, "me/tiny", "q4", { layers: [modelOf(3, 9_000)] });
  const body = JSON.stringify({ errors: [{ code: "BLOB_UNKNOWN", message: "removed for its license" }] });
  const fault = {
    kind: "status",
    status: 404,
    body,
    headers: { "content-type": "application/json" },
  } as const;
  fake.fail(/blobs/, fault, { times: Number.POSITIVE_INFINITY });
  const { code, err } = await runMain(["model", "inspect", `${fake.host}/me/tiny:q4`]);
  expect(code).toBe(3);
  expect(err).toMatch(/has no blob sha256:[0-9a-f]{64}\. The registry says: removed for its license\./);
});

function told(message: string) {
  return [{ code: undefined, message }];
}
