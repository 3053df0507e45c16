/** Owns the tests of the small grammars of headers: Retry-After, the ratelimit headers and Content-Length. */
import { describe, expect, it } from "vitest";
import {
  parseContentLength,
  parsePullBudget,
  parseRetryAfter,
} from "../../../src/upstream/network/headers.ts";

describe("Retry-After", () => {
  const now = Date.parse("2026-11-23T10:00:00Z");
  it.each([
    ["120", 120_000],
    [" 0 ", 0],
    ["Mon, 23 Nov 2026 10:01:30 GMT", 90_000],
    ["Mon, 23 Nov 2026 09:00:00 GMT", 0],
    ["999999999", 6 * 3600_000],
    ["soon", undefined],
    [undefined, undefined],
  ])("%s is %s ms", (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected);
  });

  it("is counted from the server's own date, whatever our clock says", () => {
    const year = 365 * 24 * 3600_000;
    const date = "Wed, 21 Oct 2026 07:28:00 GMT";
    const later = "Wed, 21 Oct 2026 07:28:30 GMT";
    for (const wrong of [-year, 0, year]) {
      expect(parseRetryAfter(later, Date.parse(date) + wrong, date)).toBe(30_000);
    }
    expect(parseRetryAfter(later, Date.parse(date), "no date")).toBe(30_000);
  });
});

describe("ratelimit headers", () => {
  it.each([
    ["100;w=21600", "76;w=21600", { limit: 100, remaining: 76, windowMs: 21_600_000 }],
    ["100;w=21600, 5000;w=60", "4000;w=60,76;w=21600", { limit: 100, remaining: 76, windowMs: 21_600_000 }],
    ["100", "0", { limit: 100, remaining: 0, windowMs: 0 }],
  ])("%s and %s are read", (limit, remaining, expected) => {
    const headers = { "ratelimit-limit": limit, "ratelimit-remaining": remaining };
    expect(parsePullBudget(headers, 5)).toEqual({ ...expected, seenAt: 5 });
  });

  it("are nothing when they are absent or unreadable", () => {
    expect(parsePullBudget({}, 0)).toBeUndefined();
    expect(parsePullBudget({ "ratelimit-limit": "many", "ratelimit-remaining": "1" }, 0)).toBeUndefined();
  });
});

describe("Content-Length", () => {
  it.each([
    ["12", 12],
    ["99999999999999999999", undefined],
    ["1e3", undefined],
    ["1.5", undefined],
  ])("%s is %s bytes", (text, expected) => {
    expect(parseContentLength(text)).toBe(expected);
  });
});
