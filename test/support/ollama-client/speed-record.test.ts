/** Shows the tensor puller's slow rule. */
import { expect, test } from "vitest";
import { SpeedRecord } from "./speed-record.ts";

test("A blob is too slow below a tenth of the median, after five seconds, once five are known", () => {
  const speeds = new SpeedRecord();
  for (let blob = 0; blob < 4; blob++) speeds.record(1_000_000, 100);
  speeds.record(99_999, 100);
  expect(speeds.isTooSlow(1, 60_000)).toBe(false);
  speeds.record(1_000_000, 100);
  expect(speeds.isTooSlow(1, 5_000)).toBe(false);
  expect(speeds.isTooSlow(5_999_000, 6_000)).toBe(true);
  expect(speeds.isTooSlow(6_001_000, 6_000)).toBe(false);
});
