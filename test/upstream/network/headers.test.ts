/** Owns the tests of the pure parts: retry delays, Retry-After, ratelimit headers, realms and Content-Length. */
import { describe, expect, it } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import { isTrustedRealm, registrableDomain } from "../../../src/upstream/identity/realm-trust.ts";
import { retryDelay } from "../../../src/upstream/network/caller.ts";
import {
  parseContentLength,
  parsePullBudget,
  parseRetryAfter,
} from "../../../src/upstream/network/headers.ts";

const passing = (retryAfterMs?: number) =>
  new GranaryError("upstream-unavailable", "x", retryAfterMs === undefined ? {} : { retryAfterMs });

describe("the delay before another try", () => {
  it("grows, with a quarter of jitter either way", () => {
    expect(retryDelay(passing(), { attempt: 1, spentMs: 0, chance: 0 })).toBe(188);
    expect(retryDelay(passing(), { attempt: 1, spentMs: 0, chance: 0.999 })).toBe(312);
    expect(retryDelay(passing(), { attempt: 2, spentMs: 0, chance: 0.5 })).toBe(1000);
  });

  it("is never shorter than Retry-After, and none when that does not fit", () => {
    expect(retryDelay(passing(5000), { attempt: 1, spentMs: 0, chance: 0.5 })).toBe(5000);
    expect(retryDelay(passing(5000), { attempt: 1, spentMs: 26_000, chance: 0.5 })).toBeUndefined();
  });

  it("is none after three tries, and none for what will not pass", () => {
    expect(retryDelay(passing(), { attempt: 3, spentMs: 0, chance: 0.5 })).toBeUndefined();
    const lasting = new GranaryError("denied", "x");
    expect(retryDelay(lasting, { attempt: 1, spentMs: 0, chance: 0.5 })).toBeUndefined();
    expect(retryDelay(new Error("x"), { attempt: 1, spentMs: 0, chance: 0.5 })).toBeUndefined();
  });
});

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

describe("a realm", () => {
  it.each([
    ["https://auth.docker.io/token", "https://registry-1.docker.io", [], true],
    ["https://quay.io/v2/auth", "https://quay.io", [], true],
    ["https://ghcr.io/token", "https://lscr.io", [], false],
    ["https://ghcr.io/token", "https://lscr.io", ["ghcr.io"], true],
    ["https://other.co.uk/token", "https://registry.co.uk", [], false],
    ["https://auth.example.co.uk/token", "https://registry.example.co.uk", [], true],
    ["https://evil.azurecr.io/token", "https://victim.azurecr.io", [], false],
    ["https://evil.dkr.ecr.eu-west-1.amazonaws.com/", "https://v.dkr.ecr.eu-west-1.amazonaws.com", [], false],
    ["http://auth.docker.io/token", "https://registry-1.docker.io", ["auth.docker.io"], false],
    ["http://10.0.0.2:5001/token", "http://10.0.0.2:5000", [], true],
    ["http://10.0.0.2/token", "http://10.0.0.1", [], false],
    ["http://10.0.0.2:5001/token", "http://10.0.0.1", ["10.0.0.2:5001"], true],
    ["http://localhost/token", "http://registry", [], false],
    ["ftp://registry/token", "http://registry", [], false],
    ["https://docker.io.evil.com/token", "https://registry-1.docker.io", [], false],
    ["https://evildocker.io/token", "https://registry-1.docker.io", [], false],
  ])("%s for %s with %j is trusted: %s", (realm, challenger, allowed, expected) => {
    expect(isTrustedRealm(new URL(realm), new URL(challenger), allowed)).toBe(expected);
  });

  it("has the registrable domain of its name", () => {
    expect(registrableDomain("a.b.docker.io")).toBe("docker.io");
    expect(registrableDomain("co.uk")).toBeUndefined();
    expect(registrableDomain("com")).toBeUndefined();
    expect(registrableDomain("[::1]")).toBeUndefined();
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
