/** Shows `granary reload`: what it prints of a real server whose configuration was changed, and what it says of one that cannot be used. */
import { readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { runMain } from "../../support/run-main.ts";
import { startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

test("it says what is in use now and what needs a restart, and a dry run the same without doing it", async () => {
  const fake = await startFake({ mode: "plain" });
  fake.addImage("a/b", "1", { layers: [10] });
  const directory = `${await tempDirectory()}/data`;
  const serving = await startServing({ fake, directory });
  const reload = (...args: string[]) => runMain(["reload", "--directory", directory, ...args]);
  expect(await reload()).toMatchObject({ code: 0, out: "Nothing has changed in the settings.\n" });
  const before = await readFile(serving.config, "utf8");
  const lab = `, lab.test: { endpoints: ["${fake.url}"], internal: true } }`;
  await writeFile(
    serving.config,
    before.replace(/ }\nlog:.*/, `${lab}\nlog: { format: pretty, level: debug }`),
  );
  const path = "/v2/lab.test/a/b/manifests/1";

  const dry = await reload("--dry-run");
  expect(dry.code).toBe(0);
  expect(dry.out).toBe(
    "Would be in use  log.level (changed)\n                 upstreams.lab.test (added)\nAfter a restart  log.format (changed)\n",
  );
  expect((await serving.get(path)).status).toBe(404);

  const done = JSON.parse((await reload("--json")).out);
  expect(done).toEqual({
    applied: [
      { key: "log.level", change: "changed" },
      { key: "upstreams.lab.test", change: "added" },
    ],
    needRestart: [{ key: "log.format", change: "changed" }],
    notes: [],
    problems: [],
  });
  expect((await serving.get(path)).status).toBe(200);
  expect(serving.lines().join("\n")).toContain("upstream request");

  await writeFile(serving.config, before.replace("drain: 5s", "drain: soon"));
  const bad = await reload();
  expect([bad.code, bad.out]).toEqual([2, ""]);
  expect(bad.err).toMatch(/drain: expected a duration/);
  expect((await serving.get(path)).status).toBe(200);
  expect(serving.lines().join("\n")).toContain("the settings cannot be used: nothing was changed");
});

test("where no server runs there is nothing to reload", async () => {
  const { code, err } = await runMain(["reload", "--directory", await tempDirectory()]);
  expect(code).toBe(1);
  expect(err).toContain("No Granary runs in");
});
