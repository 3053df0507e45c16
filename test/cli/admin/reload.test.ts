/** Shows `granary reload`: what it prints of a real server whose configuration was changed, and what it says of one that cannot be used. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { AdminClient } from "../../../src/cli/admin/admin-client.ts";
import { socketWay } from "../../../src/cli/admin/ways.ts";
import { settingsSchema } from "../../../src/http/admin/routes/reload-routes.ts";
import { layoutOf } from "../../../src/store/layout.ts";
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
  await expect.poll(() => serving.lines().join("\n")).toContain("upstream request");

  await writeFile(serving.config, before.replace("drain: 5s", "drain: soon"));
  const bad = await reload();
  expect([bad.code, bad.out]).toEqual([2, ""]);
  expect(bad.err).toMatch(/drain: expected a duration/);
  expect((await serving.get(path)).status).toBe(200);
  await expect
    .poll(() => serving.lines().join("\n"))
    .toContain("the settings cannot be used: nothing was changed");
});

test("an admin listener that is switched off goes on until a restart, and that is said of all of its keys", async () => {
  const fake = await startFake({ mode: "plain" });
  const directory = `${await tempDirectory()}/data`;
  const on = "admin: { port: 0, view: anyone }";
  const serving = await startServing({ fake, directory, more: [on] });
  const before = await readFile(serving.config, "utf8");
  expect(before).toContain(on);
  await writeFile(serving.config, before.replace(on, "admin: off"));
  const { out } = await runMain(["reload", "--directory", directory, "--json"]);
  const { applied, needRestart } = JSON.parse(out) as { applied: unknown[]; needRestart: { key: string }[] };
  expect(applied).toEqual([]);
  expect(needRestart.map(({ key }) => key)).toEqual(expect.arrayContaining(["admin.port", "admin.view"]));
});

test("everything but the storage directory and the form of the log is taken without a restart", async () => {
  const fake = await startFake({ mode: "plain" });
  const directory = `${await tempDirectory()}/data`;
  const serving = await startServing({ fake, directory });
  const secret = "TOP-S3CRET";
  const passwordFile = join(directory, "..", "password");
  await writeFile(passwordFile, secret);
  await writeFile(
    serving.config,
    `listeners: [{ port: 0, host: 127.0.0.1, upstream: fake.test, login: { username: ann, passwordFile: ${passwordFile} } }]
storage: { directory: ${directory}-elsewhere, maxSize: 1GiB, minFree: 1MiB, verifyEvery: never }
upstreams:
  fake.test: { endpoints: ["${fake.url}"], internal: true, lanes: 3, deny: [a/b], cooldown: 1d, username: ann, passwordFile: ${passwordFile} }
keep: [alpine]
warm: { nightly: { references: [alpine], schedule: daily } }
prefetch: { platforms: [linux/amd64] }
verify: monthly
traffic: { clients: 7d }
clients: { maxConnections: 100, stall: 1m }
drain: 7s
log: { format: pretty, level: debug }
`,
  );
  const { code, out, err } = await runMain(["reload", "--directory", directory, "--json"]);
  expect([code, err]).toEqual([0, ""]);
  const { applied, needRestart, problems } = JSON.parse(out);
  expect(problems).toEqual([]);
  expect(needRestart.map(({ key }: { key: string }) => key)).toEqual(["log.format", "storage.directory"]);
  const sections = new Set(applied.map(({ key }: { key: string }) => key.split(".")[0]));
  for (const section of ["clients", "drain", "keep", "listeners", "prefetch", "traffic", "verify", "warm"])
    expect(sections).toContain(section);
  const way = socketWay(layoutOf(directory).socket, directory);
  const shown = await new AdminClient(way).get(async () => settingsSchema, "/api/v1/settings");
  expect(shown).toMatchObject({
    settings: {
      keep: ["docker.io/library/alpine"],
      drainMs: 7_000,
      listeners: [{ login: { username: "ann" } }],
    },
    needRestart: ["log.format", "storage.directory"],
  });
  expect(JSON.stringify(shown)).not.toContain(secret);
});

test("where no server runs there is nothing to reload", async () => {
  const { code, err } = await runMain(["reload", "--directory", await tempDirectory()]);
  expect(code).toBe(1);
  expect(err).toContain("No Granary runs in");
});
