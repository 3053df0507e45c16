/** Shows `granary top` beside a real server: one screen in a pipe, a snapshot a line as JSON, and an end that is no failure. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { startGranary } from "../../support/run-granary.ts";
import { runMain } from "../../support/run-main.ts";
import { startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

test("it prints one screen in a pipe, and with --json a snapshot a line until it is ended", async () => {
  const fake = await startFake({ mode: "plain" });
  const directory = join(await tempDirectory(), "data");
  const serving = await startServing({ fake, directory });
  const once = await runMain(["top", "--directory", directory]);
  expect([once.code, once.err]).toEqual([0, ""]);
  expect(once.out).toContain(`, ${directory}\n`);
  expect(once.out).toMatch(/^Upstreams\n {2}12 in order$/m);

  const watching = startGranary(["top", "--directory", directory, "--json"]);
  await expect.poll(() => watching.text().split("\n").length).toBeGreaterThan(2);
  watching.child.kill("SIGINT");
  const { code, out, err } = await watching.ended;
  expect([code, err]).toEqual([0, ""]);
  for (const line of out.trim().split("\n")) expect(JSON.parse(line)).toMatchObject({ fills: [], pulls: [] });

  const left = startGranary(["top", "--directory", directory, "--json"]);
  await expect.poll(() => left.text()).toContain("\n");
  await serving.kill("SIGTERM");
  const ended = await left.ended;
  expect(ended.code).toBe(1);
  expect(ended.err).toContain("ended before it had answered");
});
