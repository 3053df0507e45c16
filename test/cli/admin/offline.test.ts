/** Shows `granary offline`: a running server serves what it has, tells a miss with what to do, and asks its upstream nothing until it is set back. */
import { expect, test } from "vitest";
import { runMain } from "../../support/run-main.ts";
import { startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

test("on and off, dry and in JSON, also where no server runs", async () => {
  const fake = await startFake({ mode: "plain" });
  fake.addImage("library/alpine", "3", { layers: [10] });
  const directory = `${await tempDirectory()}/data`;
  const serving = await startServing({ fake, directory });
  const offline = (...args: string[]) => runMain(["offline", ...args, "--directory", directory]);
  expect(await offline()).toMatchObject({ code: 0, out: "No upstream is offline.\n" });

  const dry = await offline("on", "fake.test", "--dry-run");
  expect(dry).toMatchObject({ code: 0, out: expect.stringMatching(/^fake\.test would be offline/) });
  expect((await serving.get("/v2/library/alpine/manifests/3")).status).toBe(200);

  const on = JSON.parse((await offline("on", "fake.test", "--json")).out);
  expect(on).toEqual({
    changed: ["fake.test"],
    offline: [{ upstream: "fake.test", since: expect.any(Number) }],
  });
  expect((await serving.get("/v2/library/alpine/manifests/3")).status).toBe(200);
  const missed = await serving.get("/v2/library/alpine/manifests/4");
  expect(missed.status).toBe(502);
  expect(missed.body.toString()).toContain("granary offline off fake.test");
  const status = await runMain(["status", "--directory", directory]);
  expect(status.out).toContain("fake.test is set offline");
  expect(await offline("on", "fake.test")).toMatchObject({ code: 0, out: "That changes nothing.\n" });
  expect(await offline("off", "dokcer.io")).toMatchObject({
    code: 3,
    err: expect.stringContaining("fake.test"),
  });

  await serving.kill("SIGTERM");
  expect((await offline()).out).toMatch(/^fake\.test is offline since \d{4}-/);
  expect(await offline("off")).toMatchObject({ code: 0, out: "fake.test is asked again.\n" });
  expect((await offline()).out).toBe("No upstream is offline.\n");
});
