/** Shows how hours, days and months are written for people, and that no time zone moves them. */
import { afterEach, expect, test } from "vitest";
import { isLittleMark, periodMark, periodTitle, scaleLines, sumOf } from "../../src/page/periods.js";

const zone = process.env.TZ;
afterEach(() => {
  process.env.TZ = zone;
  if (zone === undefined) delete process.env.TZ;
});

test.each(["UTC", "Pacific/Auckland", "America/Los_Angeles", "Europe/Berlin"])(
  "a period has the same name in %s",
  (place) => {
    process.env.TZ = place;
    expect(periodTitle("2026-03", "month")).toBe("March 2026");
    expect(periodTitle("2026-03-29", "day")).toBe("Sun, 29 March 2026");
    // In Berlin there was no such hour in 2026, and there is one of that name twice in October.
    expect(periodTitle("2026-03-29T02", "hour")).toBe("29 Mar, 02:00 to 03:00");
    expect(periodTitle("2026-10-25T23", "hour")).toBe("25 Oct, 23:00 to 00:00");
  },
);

test("only some bars have a mark below: there is room for few", () => {
  const months = ["2025-12", "2026-01", "2026-02", "2026-04"];
  expect(months.map((name, index) => periodMark(name, "month", index))).toEqual(["", "2026", "", "Apr"]);
  const days = ["2026-11-22", "2026-11-23", "2026-11-24"];
  expect(days.map((name, index) => periodMark(name, "day", index))).toEqual(["", "23 Nov", ""]);
  // A day of 23 hours: the hour 02 is not there.
  const hours = ["2026-03-29T00", "2026-03-29T01", "2026-03-29T03", "2026-03-29T06"];
  expect(hours.map((name, index) => periodMark(name, "hour", index))).toEqual(["29 Mar", "", "", "06:00"]);
  expect(hours.map((name) => isLittleMark(name, "hour"))).toEqual([false, true, true, true]);
  expect(isLittleMark("2026-11-23", "day")).toBe(false);
});

test.each([
  [0, []],
  [1, [0.5, 1]],
  [100, [50, 100]],
  [3_700_000_000, [1e9, 2e9, 3e9]],
  [8e9, [2e9, 4e9, 6e9, 8e9]],
])("the lines behind bars up to %d are few and round", (most, lines) => {
  expect(scaleLines(most)).toEqual(lines);
});

test("the sums of a span are those of its periods", () => {
  const items = [
    { served: 10, fetched: 4, saved: 6, pulls: 1 },
    { served: 1, fetched: 5, saved: -4, pulls: 2 },
  ];
  expect(sumOf(items)).toEqual({ served: 11, fetched: 9, saved: 2, pulls: 3 });
  expect(sumOf([])).toEqual({ served: 0, fetched: 0, saved: 0, pulls: 0 });
});
