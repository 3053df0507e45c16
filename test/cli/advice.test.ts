/** What a person is told to do after failures that come from outside. */
import { expect, test } from "vitest";
import { adviceFor } from "../../src/cli/advice.ts";
import { GranaryError } from "../../src/errors.ts";
import { runGranary } from "../support/run-granary.ts";
import { startFake } from "../support/start-upstream.ts";

test("a registry that is not there: one line with what happened and what to do", async () => {
  const { code, err } = await runGranary(["image", "digest", "localhost:1/a/b"]);
  expect(code).toBe(1);
  expect(err).toMatch(
    /^granary: HEAD http:\/\/localhost:1\S+ failed: the connection was refused: check .*\.\n$/,
  );
});

test("a registry that limits: how long to wait, and that a login helps", async () => {
  const fake = await startFake({ mode: "plain" });
  fake.fail(/manifests/, { kind: "rate-limited", retryAfter: "7200" }, { times: 9 });
  const { code, err } = await runGranary(["image", "digest", `${fake.host}/a/b`]);
  expect(code).toBe(1);
  expect(err).toMatch(/^granary: .*try again in 2h, or with a login.*\.\n$/);
});

test.each([
  new GranaryError("upstream-unavailable", "No Docker engine answers at x: start it."),
  new GranaryError("not-found", "There is no x."),
  new Error("anything else"),
])("a sentence that carries its advice stays as it is: %s", (error) => {
  expect(adviceFor(error)).toBeUndefined();
});
