/** Claims: what they may give up, and how the slowest one is divided. */
import { describe, expect, test } from "vitest";
import { Claim, Claims } from "../../src/fill/claims.ts";

const MIB = 1024 * 1024;

describe("a claim", () => {
  test("F6: gives up nothing that it has received", () => {
    const claim = new Claim({ start: 100, end: 200 }, 0);
    claim.received(30, 0);
    claim.shrink(150);
    expect(claim.end).toBe(150);
    claim.shrink(110);
    expect([claim.at, claim.end, claim.remaining]).toEqual([130, 130, 0]);
    claim.shrink(500);
    expect(claim.end).toBe(130);
  });

  test("grows only when told to, and never shrinks by it", () => {
    const claim = new Claim({ start: 0, end: 10 }, 0);
    claim.extend(5);
    expect(claim.end).toBe(10);
    claim.extend(50);
    expect(claim.end).toBe(50);
  });

  test("knows its rate, and how long it will take to an offset", () => {
    const claim = new Claim({ start: 0, end: 10_000 }, 1_000);
    claim.received(500, 0);
    expect(claim.rate(1_100)).toBe(5);
    expect(claim.msUntil(1_000, 1_100)).toBe(100);
  });
});

describe("the slowest claim", () => {
  test("is halved: the second half is another lane's, and no byte is in both or in none", () => {
    const claims = new Claims();
    const quick = claims.take({ start: 0, end: 10 * MIB }, 0);
    const slow = claims.take({ start: 10 * MIB, end: 30 * MIB + 1 }, 0);
    quick.received(9 * MIB, 0);
    slow.received(4 * MIB, 0);
    const rest = claims.splitSlowest(5_000);
    expect(rest).toEqual({ start: slow.end, end: 30 * MIB + 1 });
    expect(slow.remaining - ((rest?.end ?? 0) - slow.end)).toBe(1);
  });

  test.each([
    ["has just begun", 500, 1],
    ["has no byte yet, which says nothing of its speed (F6)", 60_000, 0],
    ["is done soon", 5_000, 15 * MIB],
    ["has too little left to be worth a request", 60_000, 16 * MIB - MIB + 1],
  ])("is left alone when it %s", (_name, now, received) => {
    const claims = new Claims();
    claims.take({ start: 0, end: 16 * MIB }, 0).received(received, 0);
    expect(claims.splitSlowest(now)).toBeUndefined();
  });

  test("the claim that holds a byte is found, and released ones are not", () => {
    const claims = new Claims();
    const claim = claims.take({ start: 5, end: 10 }, 0);
    expect([4, 5, 9, 10].map((at) => claims.covering(at))).toEqual([undefined, claim, claim, undefined]);
    expect(claims.remaining).toBe(5);
    claims.release(claim, 1);
    expect(claims.covering(5)).toBeUndefined();
    expect(claims.remaining).toBe(0);
  });
});
