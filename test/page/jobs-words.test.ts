/** Shows what the view of jobs and rules says in words: times ahead, rates, commands, and lines of the settings that the server can read. */
import { expect, test } from "vitest";
import { parse } from "yaml";
import { bandwidthSection } from "../../src/config/sections/bandwidth.ts";
import { warmSection } from "../../src/config/sections/warm.ts";
import { dueInWords, scheduleInWords } from "../../src/page/times.js";
import { commandOfJob } from "../../src/page/views/jobs/job-command.js";
import { paceInWords, paceOf } from "../../src/page/views/jobs/pace.js";
import { bandwidthLines, cooldownLines, warmUpLines } from "../../src/page/views/jobs/settings-lines.js";

test("a time ahead is said as people say it", () => {
  const now = new Date(2026, 10, 28, 22, 30).getTime();
  const at = (day: number, hour: number, minute = 0) =>
    dueInWords(new Date(2026, 10, day, hour, minute).getTime(), now);
  expect(at(28, 22, 30)).toBe("in less than a minute");
  expect(at(28, 22, 42)).toBe("in 12 min");
  expect(at(28, 23, 45)).toBe("today at 23:45");
  expect(at(29, 3)).toBe("tomorrow at 03:00");
  expect(at(30, 3)).toBe("on Monday at 03:00");
  expect(at(36, 3)).toBe("on December 6 at 03:00");
});

test("a schedule is said in words where it is simple, and shown as it is elsewhere", () => {
  expect(scheduleInWords("0 3 * * *")).toBe("every day at 03:00");
  expect(scheduleInWords("daily")).toBe("every day at 00:00");
  expect(scheduleInWords("@hourly")).toBe("every hour");
  expect(scheduleInWords("15 * * * *")).toBe("every hour at :15");
  expect(scheduleInWords("*/10 * * * *")).toBe("every 10 minutes");
  expect(scheduleInWords("30 6 * * 1")).toBe("every Monday at 06:30");
  expect(scheduleInWords("30 6 2 * *")).toBe("on day 2 of each month at 06:30");
  for (const other of ["0 3 * 1 *", "0 3,4 * * *", "0 3 * * 1-5", "0 3 1 * 1"])
    expect(scheduleInWords(other)).toBe(`at the times ${other}`);
});

test("the time left is never less than what is known: of things whose size nobody knows, it is more", () => {
  const bytes = { done: 25e6, total: 100e6 };
  expect(paceInWords(undefined, bytes, { done: 0, total: 1 })).toBe("");
  expect(paceInWords(5e6, bytes, { done: 0, total: 1 })).toBe("5.00 MB/s, 15 s left");
  expect(paceInWords(5e6, bytes, { done: 1, total: 4 })).toBe("5.00 MB/s, more than 15 s left");
  expect(paceInWords(0, bytes, { done: 0, total: 1 })).toBe("nothing comes at the moment");
});

test("the pace of a job is that of its last seconds", () => {
  expect(paceOf(7, 0, 0)).toBeUndefined();
  for (const [at, done] of [
    [2_000, 2e6],
    [4_000, 4e6],
  ] as const)
    expect(paceOf(7, done, at)).toBe(1e6);
  for (let at = 6_000; at <= 40_000; at += 2_000) paceOf(7, 4e6, at);
  expect(paceOf(7, 4e6, 42_000)).toBe(0);
});

test("a job is written as the command that begins the same", () => {
  const of = (kind: string, input: unknown) => commandOfJob({ kind, input });
  expect(of("warm", { list: "night", references: ["a"] })).toBe("granary warm --list night");
  expect(of("warm", { references: ["alpine:3.*"], platforms: ["linux/amd64"], attestations: true })).toBe(
    "granary warm 'alpine:3.*' --platform linux/amd64 --attestations",
  );
  expect(of("verify", { repair: true })).toBe("granary verify --repair");
  expect(of("remove", { pattern: "org/**", unusedForMs: 86_400_000, force: false })).toBe(
    "granary remove 'org/**' --unused-for 86400s",
  );
  expect(of("evict", { free: 1_000_000 })).toBe("granary evict --free 1000000B");
  expect(of("export", { patterns: ["alpine"], platforms: "all", fetch: false })).toBe(
    "granary bundle export granary-bundle.tar alpine --no-fetch --platform all",
  );
  expect(of("import", { from: "it's.tar" })).toBe("granary bundle import 'it'\\''s.tar'");
  expect(of("import", { from: "ollama:/var/models" })).toBe("granary import ollama:/var/models");
  expect(of("import", {})).toBeUndefined();
  expect(of("other", {})).toBeUndefined();
});

test("the lines for the settings are what the server reads, whatever was typed", () => {
  for (const name of ["base", "true", "1"]) {
    const text = warmUpLines({
      name,
      references: ["alpine:3.*", "ollama:llama3.2", "a: b # c", "yes"],
      platforms: ["linux/amd64"],
      schedule: "0 3 * * *",
    });
    const { warm } = parse(text) as { warm: unknown };
    expect(warmSection.parse(warm)).toEqual({
      [name]: {
        references: ["alpine:3.*", "ollama:llama3.2", "a: b # c", "yes"],
        platforms: ["linux/amd64"],
        schedule: "0 3 * * *",
      },
    });
  }
  expect(parse(warmUpLines({ name: "edge", references: ["a"], platforms: [], schedule: "" }))).toEqual({
    warm: { edge: { references: ["a"], when: "moved" } },
  });
  expect(parse(cooldownLines("docker.io", "3d"))).toEqual({ upstreams: { "docker.io": { cooldown: "3d" } } });
  const { bandwidth } = parse(bandwidthLines({ from: "22:00", to: "06:00", total: "5MB/s" })) as {
    bandwidth: unknown;
  };
  expect(bandwidthSection.parse(bandwidth)).toMatchObject({ hours: [{ from: 1320, to: 360, total: 5e6 }] });
});
