import { type Logger, pino } from "pino";
import { expect, test } from "vitest";
import { Episodes } from "../../src/observe/episodes.ts";
import { FakeClock } from "../support/fake-clock.ts";

/** A log that keeps its lines, as "level message". */
function keptLog(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const levels: Record<number, string> = { 20: "debug", 30: "info", 40: "warn" };
  const write = (text: string) => {
    const { level, msg, times } = JSON.parse(text) as { level: number; msg: string; times?: number };
    lines.push(`${levels[level]} ${msg}${times === undefined ? "" : ` ${times}`}`);
  };
  return { log: pino({ level: "info" }, { write }), lines };
}

test("trouble that repeats is one line when it begins and one when it is over", async () => {
  const clock = new FakeClock();
  const { log, lines } = keptLog();
  const episodes = new Episodes(log, clock);
  for (let round = 0; round < 50; round++) {
    episodes.trouble("lanes", {}, "a lane failed");
    await clock.advance(300);
  }
  expect(lines).toEqual(["warn a lane failed"]);
  await clock.advance(30_000);
  expect(lines).toEqual(["warn a lane failed", "info this trouble is over 50"]);
  expect(clock.timers).toBe(0);
});

test("two kinds of trouble are two episodes, and one that comes back later is another", async () => {
  const clock = new FakeClock();
  const { log, lines } = keptLog();
  const episodes = new Episodes(log, clock);
  episodes.trouble("disk", {}, "the disk is full");
  episodes.trouble("lanes", {}, "a lane failed");
  episodes.over("disk");
  episodes.over("disk");
  episodes.trouble("disk", {}, "the disk is full");
  expect(lines).toEqual([
    "warn the disk is full",
    "warn a lane failed",
    "info this trouble is over 1",
    "warn the disk is full",
  ]);
});

test("what is told of trouble that goes on is what failed last, in one line of the log all the same", () => {
  const { log, lines } = keptLog();
  const episodes = new Episodes(log, new FakeClock(), Number.POSITIVE_INFINITY);
  episodes.trouble("storage", {}, "a file vanished meanwhile");
  episodes.trouble("storage", {}, "something else lies in its place: move that away");
  expect(episodes.current).toEqual(["something else lies in its place: move that away"]);
  expect(lines).toEqual(["warn a file vanished meanwhile"]);
});
