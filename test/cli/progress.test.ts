/** Shows progress as people see it: a bar on a terminal, few lines in a log, in numbers that are right. */
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { progressBar, progressLine } from "../../src/cli/progress-bar.ts";
import { clockTime, type ProgressDisplay } from "../../src/cli/progress-display.ts";
import { progressLines } from "../../src/cli/progress-lines.ts";
import { Rate } from "../../src/cli/rate.ts";
import type { Progress } from "../../src/client/fetching/progress.ts";
import type { Clock } from "../../src/observe/clock.ts";
import { FakeClock } from "../support/fake-clock.ts";

const MIB = 2 ** 20;

type Report = readonly [phase: Progress["phase"], done: number, total: number];

/** Reports one each second; what was written. */
async function shown(
  display: (stream: NodeJS.WritableStream, clock: Clock) => ProgressDisplay,
  reports: readonly Report[],
  everyMs = 1000,
) {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 120 });
  const clock = new FakeClock();
  const { report, end } = display(stream, clock);
  for (const [phase, done, total] of reports) {
    report({ phase, done, total });
    await clock.advance(everyMs);
  }
  end();
  end();
  report({ phase: "fetch", done: 1, total: 99 }); // Too late: nothing is shown any more.
  return String(stream.read() ?? "");
}

describe("lines", () => {
  test("are one where a phase begins and one where it ends", async () => {
    const text = await shown(progressLines, [
      ["fetch", 0, 4 * MIB],
      ["fetch", 2 * MIB, 4 * MIB],
      ["fetch", 4 * MIB, 4 * MIB],
      ["fetch", 4 * MIB, 4 * MIB],
      ["extract", 0, 12],
      ["extract", 12, 12],
    ]);
    expect(text.trim().split("\n")).toEqual([
      "Fetching 4 MiB",
      "Fetched 4 MiB (2 MiB/s)",
      "Extracting 12 entries",
      "Extracted 12 entries (12 entries/s)",
    ]);
  });

  test("say what is there when a fetch goes on, and do not count it into the rate", async () => {
    const text = await shown(progressLines, [
      ["fetch", 3 * MIB, 4 * MIB],
      ["fetch", 4 * MIB, 4 * MIB],
    ]);
    expect(text).toBe("Fetching 4 MiB, 3 MiB are here\nFetched 4 MiB (1 MiB/s)\n");
  });

  test("come every half minute while something slow lives", async () => {
    const reports = [0, 1, 2, 3, 4, 5, 6].map((done): Report => ["fetch", done * MIB, 100 * MIB]);
    expect((await shown(progressLines, reports, 10_000)).trim().split("\n")).toEqual([
      "Fetching 100 MiB",
      "Fetching: 3 MiB of 100 MiB (102.4 KiB/s)",
      "Fetching: 6 MiB of 100 MiB (102.4 KiB/s)",
    ]);
  });

  test("are one for what takes no time", async () => {
    expect(await shown(progressLines, [["fetch", MIB, MIB]])).toBe("Fetched 1 MiB\n");
  });
});

describe("the bar", () => {
  test("shows bytes, rate and time left, and leaves an empty line", async () => {
    const text = await shown(progressBar, [
      ["fetch", 0, 4 * MIB],
      ["fetch", MIB, 4 * MIB],
    ]);
    expect(text).toContain("Fetching [======                  ] 25%  1 MiB of 4 MiB  1 MiB/s  0:03 left");
    // Erase the line, after the cursor is shown again.
    expect(text.endsWith("\u001b[2K")).toBe(true);
    expect(text).toContain("\u001b[?25h");
  });

  test("is another one for another phase", async () => {
    const text = await shown(progressBar, [
      ["fetch", MIB, MIB],
      ["extract", 1, 2],
    ]);
    expect(text).toContain("Fetching [========================] 100%");
    expect(text).toContain("Extracting [============            ] 50%  1 entry of 2 entries");
  });
});

describe("the line of the bar", () => {
  const words = {
    share: 0.25,
    label: "Fetching",
    amount: "  1023.9 MiB of 3.9 GiB",
    rate: "  102.4 MiB/s",
    left: "  0:31 left",
  };

  test.each([
    [200, "Fetching [======                  ] 25%  1023.9 MiB of 3.9 GiB  102.4 MiB/s  0:31 left"],
    [80, "Fetching [====             ] 25%  1023.9 MiB of 3.9 GiB  102.4 MiB/s  0:31 left"],
    [70, "Fetching [==     ] 25%  1023.9 MiB of 3.9 GiB  102.4 MiB/s  0:31 left"],
    [66, "Fetching 25%  1023.9 MiB of 3.9 GiB  102.4 MiB/s  0:31 left"],
    [55, "Fetching 25%  1023.9 MiB of 3.9 GiB  0:31 left"],
    [40, "Fetching 25%  1023.9 MiB of 3.9 GiB"],
    [20, "Fetching 25%"],
    [5, "25%"],
    [2, ""],
  ])("at %i columns: the bar shrinks before words go, and no word is cut", (columns, line) => {
    expect(progressLine(words, columns)).toBe(line);
  });

  test("is never as wide as the terminal", () => {
    for (let columns = 1; columns < 200; columns++) {
      expect(progressLine(words, columns).length).toBeLessThan(columns);
    }
  });
});

describe("the rate", () => {
  test("is that of the last seconds, and falls when nothing comes", async () => {
    const clock = new FakeClock();
    const rate = new Rate(clock);
    expect(rate.perSecond()).toBeUndefined();
    for (const done of [500, 1500, 2500, 3500]) {
      rate.add(done);
      await clock.advance(1000);
    }
    rate.add(3500);
    expect(rate.perSecond()).toBe(750);
    expect(rate.leftMs(4250)).toBe(1000);
    for (let second = 0; second < 10; second++) {
      await clock.advance(1000);
      rate.add(3500);
    }
    expect(rate.perSecond()).toBe(0);
    expect(rate.leftMs(4250)).toBeUndefined();
    expect(rate.overall()).toBeCloseTo(3000 / 14);
  });

  test.each([
    [400, "0:00"],
    [61_000, "1:01"],
    [3_599_600, "1:00:00"],
    [3_750_000, "1:02:30"],
  ])("%i ms left are %s", (ms, text) => {
    expect(clockTime(ms)).toBe(text);
  });
});
