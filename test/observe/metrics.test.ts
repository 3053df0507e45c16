/** Shows what the metrics tell of the process itself, and that nothing of it is read or runs before somebody asks. */
import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { createMetrics } from "../../src/observe/metrics.ts";
import { version } from "../../src/version.ts";

function numberIn(text: string, name: string): number {
  const [, value] = new RegExp(`^${name} (\\S+)$`, "m").exec(text) ?? [];
  return Number(value);
}

test("the process is measured when it is asked for", async () => {
  const text = await createMetrics().registry.metrics();
  expect(numberIn(text, "process_cpu_seconds_total")).toBeGreaterThan(0);
  expect(numberIn(text, "process_resident_memory_bytes")).toBeGreaterThan(1_000_000);
  // To the millisecond: a rounded time would have a process start in the future.
  expect(numberIn(text, "process_start_time_seconds")).toBe(performance.timeOrigin / 1000);
});

test("open files are counted where the system tells of them, and left out where it does not", async () => {
  const text = await createMetrics().registry.metrics();
  const isTold = await readdir("/proc/self/fd").then(
    () => true,
    () => false,
  );
  const open = numberIn(text, "process_open_fds");
  if (isTold) expect(open).toBeLessThanOrEqual(numberIn(text, "process_max_fds"));
  else expect(text).not.toMatch(/^process_open_fds /m);
});

test("the version that runs is a label", async () => {
  const text = await createMetrics().registry.metrics();
  expect(text).toContain(`granary_build_info{version="${version}",node="${process.versions.node}"} 1`);
});

test("the event loop tells how busy it is and how long it took to come to this question", async () => {
  const text = await createMetrics().registry.metrics();
  const busy = (state: string) => numberIn(text, `nodejs_eventloop_time_seconds_total\\{state="${state}"\\}`);
  expect(busy("active")).toBeGreaterThan(0);
  expect(busy("idle")).toBeGreaterThanOrEqual(0);
  expect(busy("active") + busy("idle")).toBeLessThanOrEqual(performance.now() / 1000);
  expect(numberIn(text, "nodejs_eventloop_lag_seconds")).toBeGreaterThan(0);
});
