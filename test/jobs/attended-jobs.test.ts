/** Shows jobs that somebody attends: they are listed and stopped like others, and only who brings their bytes can begin them. */
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { AttendedJobs } from "../../src/jobs/attended-jobs.ts";
import { Jobs } from "../../src/jobs/jobs.ts";
import { jobRows } from "../../src/metadata/job-rows.ts";
import { SqliteFile } from "../../src/metadata/sqlite-file.ts";
import { silentLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { Events } from "../../src/records/events.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { tempDirectory } from "../support/temp-directory.ts";

async function world() {
  const clock = new FakeClock();
  const file = new SqliteFile(join(await tempDirectory(), "granary.db"));
  onTestFinished(() => file.close());
  const jobs = new Jobs({
    rows: jobRows(file),
    events: new Events(clock),
    clock,
    log: silentLog,
    metrics: createMetrics(),
  });
  return { jobs, attended: new AttendedJobs(jobs, "import") };
}

test("it is listed with its progress while it runs, and gives whoever attends it what it found", async () => {
  const { jobs, attended } = await world();
  const end = Promise.withResolvers<string>();
  const running = attended.run("import a bundle", { as: "x" }, async ({ progress }) => {
    progress({ bytes: { done: 5, total: 10 }, things: { done: 0, total: 1 } });
    return await end.promise;
  });
  await expect
    .poll(() => jobs.running())
    .toMatchObject([
      { kind: "import", title: "import a bundle", progress: { bytes: { done: 5, total: 10 } } },
    ]);
  end.resolve("done");
  expect(await running).toBe("done");
  await expect.poll(() => jobs.list()).toMatchObject([{ state: "done", result: "done" }]);
});

test("whoever attends it hears its own failure, with its code, and the history has the reason", async () => {
  const { jobs, attended } = await world();
  const failing = attended.run("import", {}, async () => {
    throw new GranaryError("digest-mismatch", "Wrong bytes.");
  });
  await expect(failing).rejects.toMatchObject({ code: "digest-mismatch" });
  await expect
    .poll(() => jobs.list())
    .toMatchObject([{ state: "failed", reason: expect.stringContaining("Wrong bytes") }]);
});

test("it is stopped like any other", async () => {
  const { jobs, attended } = await world();
  const stopped = attended.run("import", {}, async ({ signal }) => {
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  stopped.catch(() => undefined);
  await expect.poll(() => jobs.running()).toHaveLength(1);
  jobs.stop(jobs.running()[0]?.id ?? 0);
  await expect(stopped).rejects.toThrow();
  await expect.poll(() => jobs.list()).toMatchObject([{ state: "stopped" }]);
});

test.each([undefined, {}, { ticket: 1 }, { ticket: "x" }])(
  "nobody else begins one with %j",
  async (input) => {
    const { jobs } = await world();
    expect(() => jobs.start("import", input, "import")).toThrow("begun by the request");
  },
);
