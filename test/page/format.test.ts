/** Shows how the page writes numbers, times and names: short, true, and without a jump from one unit to the next. */
import { expect, test } from "vitest";
import {
  ago,
  counted,
  duration,
  moment,
  nameOf,
  percent,
  rate,
  shortDigest,
  size,
} from "../../src/page/format.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test.each([
  [0, "0 B"],
  [1, "1 B"],
  [999, "999 B"],
  [1_000, "1.00 kB"],
  [1_234, "1.23 kB"],
  [9_994, "9.99 kB"],
  [9_995, "10.0 kB"],
  [99_949, "99.9 kB"],
  [99_950, "100 kB"],
  [999_499, "999 kB"],
  [999_500, "1.00 MB"],
  [1_400_000_000, "1.40 GB"],
  [12.3e12, "12.3 TB"],
  [5e15, "5.00 PB"],
  [123_456e15, "123456 PB"],
  [-1_500, "−1.50 kB"],
])("%d bytes are %s", (bytes, text) => {
  expect(size(bytes)).toBe(text);
});

test("a rate is a size in a second", () => {
  expect(rate(2_500_000)).toBe("2.50 MB/s");
});

test.each([
  [0, 100, "0 %"],
  [1, 3, "33 %"],
  [99.99, 100, "99 %"],
  [999_999_999, 1_000_000_000, "99 %"],
  [100, 100, "100 %"],
  [120, 100, "100 %"],
  [1, 0, ""],
  [0, 0, ""],
])("%d of %d is %j: what is not whole does not look so", (part, whole, text) => {
  expect(percent(part, whole)).toBe(text);
});

test.each([
  [-5_000, "0 s"],
  [0, "0 s"],
  [499, "0 s"],
  [12_000, "12 s"],
  [59_600, "1 min"],
  [200_000, "3 min 20 s"],
  [HOUR - 1_000, "59 min 59 s"],
  [HOUR, "1 h"],
  [2 * HOUR + 5 * MINUTE, "2 h 5 min"],
  [3 * DAY + 4 * HOUR, "3 d 4 h"],
  [400 * DAY, "400 d"],
])("%d ms are %j", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test("what was, is said in one unit; what seems to be to come, because a clock is behind, is now", () => {
  const now = 1_000 * DAY;
  expect(ago(undefined, now)).toBe("");
  expect(ago(now + HOUR, now)).toBe("just now");
  expect(ago(now - 9_000, now)).toBe("just now");
  expect(ago(now - 5 * MINUTE - 20_000, now)).toBe("5 min ago");
  expect(ago(now - 2 * HOUR - 5 * MINUTE, now)).toBe("2 h ago");
  expect(ago(now - 3 * DAY, now)).toBe("3 d ago");
});

test("a time of another day has its date", () => {
  const noon = new Date(2026, 10, 28, 12).getTime();
  expect(moment(noon, noon + MINUTE)).not.toMatch(/2026|Nov/);
  expect(moment(noon - DAY, noon)).toMatch(/27/);
});

test("one is one, and many are many", () => {
  expect([counted(0, "image"), counted(1, "image"), counted(12_345, "image")]).toEqual([
    "0 images",
    "1 image",
    "12,345 images",
  ]);
  expect(counted(2, "repository", "repositories")).toBe("2 repositories");
});

test.each([
  [{ upstream: "docker.io", repository: "library/alpine", tag: "3" }, "alpine:3"],
  [{ upstream: "docker.io", repository: "grafana/grafana", tag: null }, "grafana/grafana"],
  [{ upstream: "ghcr.io", repository: "org/tool", tag: "v1" }, "ghcr.io/org/tool:v1"],
  [{ upstream: "ghcr.io", repository: "library/tool" }, "ghcr.io/library/tool"],
])("%j is written %s", (of, text) => {
  expect(nameOf(of)).toBe(text);
});

test("a digest is cut to what tells it from others", () => {
  expect(shortDigest(`sha256:${"ab".repeat(32)}`)).toBe("sha256:abababababab");
  expect(shortDigest(`sha512:${"cd".repeat(64)}`)).toBe("sha512:cdcdcdcdcdcd");
  expect(shortDigest("what is none")).toBe("what is none");
});
