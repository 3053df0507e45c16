/** Sizes and durations as people write them, both ways. */
import { describe, expect, test } from "vitest";
import { formatBytes, formatDuration, parseBytes, parseDuration } from "../../src/bytes/units.ts";

describe("sizes", () => {
  test.each([
    ["200GiB", 200 * 2 ** 30],
    ["1.5 KiB", 1536],
    ["10GB", 10e9],
    ["2TiB", 2 * 2 ** 40],
    ["5kB", 5_000],
    ["5KB", 5_000],
    ["7B", 7],
    ["7", 7],
    [1024, 1024],
    [" 3 MiB ", 3 * 2 ** 20],
    ["0", 0],
  ])("%s is %d bytes", (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  test.each([
    "",
    "GiB",
    "-1GiB",
    "1 GiBs",
    "1gib",
    "1e3",
    "1,5GiB",
    "ten",
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -5,
    "99999999TiB",
    "1 constructor",
  ])("%s is refused with what is allowed", (text) => {
    expect(() => parseBytes(text)).toThrow(
      expect.objectContaining({
        code: "config-invalid",
        message: expect.stringContaining("512MiB"),
        facts: expect.objectContaining({ found: String(text) }),
      }),
    );
  });

  test.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1536, "1.5 KiB"],
    [2 ** 30, "1 GiB"],
    [40e9, "37.3 GiB"],
    [3 * 2 ** 40, "3 TiB"],
  ])("%d bytes are written %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe("durations", () => {
  test.each([
    ["500ms", 500],
    ["30s", 30_000],
    ["10m", 600_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["0.5s", 500],
    [250, 250],
  ])("%s is %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(["10 minutes", "1M", "s", "-3s", "5GiB"])("%s is refused", (text) => {
    expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: "config-invalid" }));
  });

  test.each([
    [0, "0ms"],
    [999, "999ms"],
    [90_000, "1.5m"],
    [3_600_000, "1h"],
    [172_800_000, "2d"],
  ])("%d ms are written %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
