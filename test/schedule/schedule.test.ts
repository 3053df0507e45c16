/** Shows how schedules are read, what a bad one is told, and that a timetable keeps to them whatever the date does. */
import { describe, expect, test } from "vitest";
import { isGranaryError, messageOf } from "../../src/errors.ts";
import { parseSchedule } from "../../src/schedule/schedule.ts";
import { timeText } from "../../src/schedule/time-text.ts";
import { Timetable, type TimetableEntry } from "../../src/schedule/timetable.ts";
import { FakeClock } from "../support/fake-clock.ts";

/** Local time, as schedules are. */
const NOON = new Date(2026, 10, 28, 12, 0).getTime();
const HOUR = 3_600_000;

describe("a schedule", () => {
  test.each([
    ["0 3 * * *", "Sun 2026-11-29 03:00"],
    ["*/15 * * * *", "Sat 2026-11-28 12:15"],
    ["0 3 * * MON", "Mon 2026-11-30 03:00"],
    ["0 3 L * *", "Mon 2026-11-30 03:00"],
    ["monthly", "Tue 2026-12-01 00:00"],
    ["@Weekly", "Sun 2026-11-29 00:00"],
    ["  0   4 * * * ", "Sun 2026-11-29 04:00"],
  ])("%s comes next at %s", (text, expected) => {
    expect(timeText(parseSchedule(text, NOON).next(NOON) ?? 0)).toBe(expected);
  });

  test.each([
    [
      "0 3 * *",
      "expected five fields",
      "0 3 * * *",
      "Sun 2026-11-29 03:00, Mon 2026-11-30 03:00, Tue 2026-12-01 03:00",
    ],
    [
      "0 25 * * *",
      "Invalid value for hour: 25",
      "0 23 * * *",
      "Sat 2026-11-28 23:00, Sun 2026-11-29 23:00, Mon 2026-11-30 23:00",
    ],
    ["30 0 3 * * *", "expected five fields", "0 3 * * *", "Sun 2026-11-29 03:00"],
    [
      "0 3 * * monday",
      "has to stand alone",
      "0 3 * * mon",
      "Mon 2026-11-30 03:00, Mon 2026-12-07 03:00, Mon 2026-12-14 03:00",
    ],
    ["0 0 30 2 *", "there is no such day", "0 0 L 2 *", "Sun 2027-02-28 00:00"],
    ["*/61 * * * *", "steps", "*/59 * * * *", "Sat 2026-11-28 12:59"],
    ["every night", "expected five fields", "daily", "Sun 2026-11-29 00:00"],
    ["@reboot", "one of hourly, daily", "0 3 * * *", "Sun 2026-11-29 03:00"],
    ["", "expected five fields", "0 3 * * *", "Sun 2026-11-29 03:00"],
  ])("%s is refused with the nearest good one and its next three times", (text, problem, nearest, times) => {
    const error = thrownBy(() => parseSchedule(text, NOON));
    expect(isGranaryError(error, "config-invalid")).toBe(true);
    expect(messageOf(error)).toContain(problem);
    expect(messageOf(error)).toContain(`Did you mean "${nearest}"? That would be ${times}`);
    expect(messageOf(error).split(", ").length).toBeGreaterThan(2);
  });

  test("that is endless is refused with a short sentence", () => {
    const message = messageOf(thrownBy(() => parseSchedule(`${"1,".repeat(50_000)}1 * * * *`, NOON)));
    expect(message).toContain("it is too long");
    expect(message.length).toBeLessThan(400);
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("It did not throw.");
}

describe("a timetable", () => {
  function started(text: string, more: Partial<TimetableEntry> = {}) {
    const clock = new FakeClock();
    clock.setBy(NOON - clock.now());
    const ran: string[] = [];
    const timetable = new Timetable(clock);
    const run = () => void ran.push(timeText(clock.now()));
    timetable.set([{ name: "one", schedule: parseSchedule(text, clock.now()), run, ...more }]);
    return { clock, ran, timetable };
  }

  test("runs each time, and tells when the next one is", async () => {
    const { clock, ran, timetable } = started("0 3 * * *");
    expect(timeText(timetable.dueAt("one") ?? 0)).toBe("Sun 2026-11-29 03:00");
    await clock.advance(48 * HOUR);
    expect(ran).toEqual(["Sun 2026-11-29 03:00", "Mon 2026-11-30 03:00"]);
    expect(timetable.dueAt("other")).toBeUndefined();
  });

  test("makes up once, a little later, what was missed while nothing ran", async () => {
    const { clock, ran } = started("0 3 * * *", { ranAt: NOON - 80 * HOUR });
    await clock.advance(HOUR);
    expect(ran).toEqual(["Sat 2026-11-28 12:02"]);
    await clock.advance(24 * HOUR);
    expect(ran).toEqual(["Sat 2026-11-28 12:02", "Sun 2026-11-29 03:00"]);
  });

  test("makes up nothing when it ran at its last time, never ran, or ran in the future", async () => {
    for (const ranAt of [NOON - 9 * HOUR, undefined, NOON + 900 * HOUR]) {
      const { clock, ran } = started("0 3 * * *", { ranAt });
      await clock.advance(HOUR);
      expect(ran).toEqual([]);
    }
  });

  test("runs once when the date leaps ahead over several times, and again at its time when it is set back", async () => {
    const { clock, ran } = started("0 3 * * *");
    clock.setBy(72 * HOUR);
    await clock.advance(2 * 60_000);
    expect(ran).toHaveLength(1);
    clock.setBy(-72 * HOUR);
    await clock.advance(16 * HOUR);
    expect(ran).toEqual(["Tue 2026-12-01 12:01", "Sun 2026-11-29 03:00"]);
  });

  test("runs nothing after it was closed", async () => {
    const { clock, ran, timetable } = started("* * * * *");
    timetable.close();
    await clock.advance(HOUR);
    expect(ran).toEqual([]);
    expect(clock.timers).toBe(0);
  });
});
