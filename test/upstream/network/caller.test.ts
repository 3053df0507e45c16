/** Owns the tests of the pause before another try: how long it is, and when there is none. */
import { describe, expect, it } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import { retryDelay } from "../../../src/upstream/network/caller.ts";

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
