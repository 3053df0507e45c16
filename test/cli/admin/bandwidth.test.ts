/** Shows `granary bandwidth`: what holds at a real server and what is set for a while, and that a limit really limits. */
import { expect, test } from "vitest";
import { runMain } from "../../support/run-main.ts";
import { startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

test("limits of the settings and of a command are shown, tried and taken back", async () => {
  const fake = await startFake({ mode: "plain" });
  const image = fake.addImage("library/alpine", "3", { layers: [600_000] });
  const directory = `${await tempDirectory()}/data`;
  const more = ["bandwidth: { total: 2MB/s, upstreams: { fake.test: 8Mbit/s } }"];
  const serving = await startServing({ fake, directory, more });
  const bandwidth = (...args: string[]) => runMain(["bandwidth", ...args, "--directory", directory]);
  const shown = async () => JSON.parse((await bandwidth("--json")).out);
  expect(await shown()).toEqual({
    total: 2_000_000,
    upstreams: { "fake.test": 1_000_000 },
    temporary: [],
    flows: {},
  });
  const dry = await bandwidth("200kB/s", "fake.test", "--for", "2h", "--dry-run");
  expect(dry.out).toMatch(/^Would hold: fake\.test: 195\.3 KiB per second until /);
  expect((await shown()).temporary).toEqual([]);
  expect((await bandwidth("200kB/s", "fake.test", "--for", "2h")).code).toBe(0);
  expect(await shown()).toMatchObject({
    upstreams: { "fake.test": 200_000 },
    temporary: [{ upstream: "fake.test", bytesPerSecond: 200_000, until: expect.any(Number) }],
  });

  await serving.get("/v2/library/alpine/manifests/3");
  const begunAt = performance.now();
  const { body } = await serving.get(`/v2/library/alpine/blobs/${image.layerDigests[0]}`);
  expect(body.length).toBe(600_000);
  // 600 kB at 200 kB/s; the first second's worth may come at once.
  expect(performance.now() - begunAt).toBeGreaterThan(1_500);

  expect((await bandwidth()).out).toMatch(/fake\.test: [\d.]+ KiB per second/);
  expect((await bandwidth("off")).out).toMatch(/^Taken back: fake\.test/);
  expect((await shown()).upstreams).toEqual({ "fake.test": 1_000_000 });
  expect(await bandwidth("5MB/s", "dokcer.io")).toMatchObject({ code: 3 });
  expect(await bandwidth("fast")).toMatchObject({
    code: 2,
    err: expect.stringContaining("a rate such as 5MB/s"),
  });
});

test("a limit by command holds over a restart until it is taken back", async () => {
  const fake = await startFake({ mode: "plain" });
  const directory = `${await tempDirectory()}/data`;
  const bandwidth = (...args: string[]) => runMain(["bandwidth", ...args, "--directory", directory]);
  const shown = async () => JSON.parse((await bandwidth("--json")).out);
  const first = await startServing({ fake, directory });
  expect((await bandwidth("3MB/s")).code).toBe(0);
  expect((await bandwidth("200kB/s", "fake.test", "--for", "2h")).code).toBe(0);
  expect((await bandwidth("0", "fake.test")).code).toBe(2);
  const before = await shown();
  expect(before).toMatchObject({ total: 3_000_000, upstreams: { "fake.test": 200_000 } });
  await first.kill("SIGTERM");

  const second = await startServing({ fake, directory });
  expect(await shown()).toEqual(before);
  expect((await bandwidth("off")).code).toBe(0);
  await second.kill("SIGTERM");

  await startServing({ fake, directory });
  expect(await shown()).toMatchObject({ upstreams: {}, temporary: [] });
});
