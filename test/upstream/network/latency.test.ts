/** How fast an upstream answers, how often it fails, and when it allows more again: from real requests to a fake registry. */
import { describe, expect, test } from "vitest";
import { budgetReturn } from "../../../src/upstream/network/budget-return.ts";
import { Latency } from "../../../src/upstream/network/latency.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { askFor, clientOf, startFake, startUpstream } from "../../support/start-upstream.ts";

const MINUTE_MS = 60_000;
const HUB = "https://hub.test";

describe("an upstream says how fast it answers", () => {
  test("from what it was asked, without its token server, and nothing before it was asked", async () => {
    const { fake, client, clock } = await startUpstream({ mode: "hub" });
    fake.addImage("library/alpine", "3", { layers: [1_000] });
    expect(client.status().answers).toEqual({
      latencyMs: undefined,
      askedAt: undefined,
      requests: 0,
      failed: 0,
    });
    const before = clock.now();
    expect(await client.headManifest(askFor("library/alpine", "3"))).toBeDefined();
    const { answers } = client.status();
    // One that is refused for the want of a token, and the same again with it.
    expect(answers).toMatchObject({ requests: 2, failed: 0, latencyMs: expect.any(Number) });
    expect(answers?.askedAt).toBeGreaterThanOrEqual(before);
  });

  test("what fails counts as failed, and what we end ourselves does not", async () => {
    const { fake, client } = await startUpstream({ mode: "plain" });
    fake.addImage("x", "y", { layers: [1_000] });
    fake.fail(/manifests/, { kind: "status", status: 503 }, { times: 2 });
    await client.headManifest(askFor("x", "y"));
    // Two answers with 503, a look at the base for each at most, and the answer in the end.
    expect(client.status().answers?.failed).toBe(2);
    const blob = fake.addGeneratedBlob({ seed: 1, size: 1_000 }, "x");
    fake.fail(/blobs/, { kind: "stall", afterBytes: 0 });
    const leave = new AbortController();
    const opening = client.blobOrigin("x", blob).open({ start: 0, end: 10 }, leave.signal);
    leave.abort();
    await expect(opening).rejects.toMatchObject({ code: "aborted" });
    expect(client.status().answers?.failed).toBe(2);
  });

  test("of several addresses each by itself, and which one is asked first", async () => {
    const [first, second] = await Promise.all([startFake({ mode: "plain" }), startFake({ mode: "plain" })]);
    for (const fake of [first, second]) fake.addImage("x", "y", { layers: [1_000] });
    const { client } = clientOf(first, { endpoints: [first.url, second.url] });
    const hosts = [first, second].map(({ url }) => new URL(url).host);
    expect(client.status().endpoints).toMatchObject([
      { host: hosts[0], isFirst: true, retryAt: undefined, requests: 0 },
      { host: hosts[1], isFirst: false, retryAt: undefined, requests: 0 },
    ]);
    first.fail(/manifests/, { kind: "status", status: 503 }, { times: 50 });
    await client.headManifest(askFor("x", "y"));
    expect(client.status().endpoints).toMatchObject([
      { host: hosts[0], isFirst: false, retryAt: expect.any(Number) },
      { host: hosts[1], isFirst: true, requests: 1, failed: 0 },
    ]);
  });
});

describe("how fast it answers", () => {
  test("is the middle of the last times, which one slow answer does not move, and nothing of long ago", async () => {
    const clock = new FakeClock();
    const latency = new Latency([HUB], clock);
    for (const ms of [90, 100, 110, 30_000, 105]) latency.asked(HUB, ms, false);
    latency.asked("https://cdn.test", 5_000, false);
    expect(latency.all).toEqual({ latencyMs: 105, askedAt: clock.now(), requests: 5, failed: 0 });
    const askedAt = clock.now();
    await clock.advance(11 * MINUTE_MS);
    expect(latency.all).toEqual({ latencyMs: undefined, askedAt, requests: 0, failed: 0 });
    // Thousands more take no more memory, and the newest count.
    for (let count = 0; count < 5_000; count++)
      latency.asked(HUB, count < 4_000 ? 900 : 20, count % 10 === 0);
    expect(latency.of(HUB)).toEqual({ latencyMs: 20, askedAt: clock.now(), requests: 5_000, failed: 500 });
  });

  test("failures go out of the count minute by minute", async () => {
    const clock = new FakeClock();
    const latency = new Latency([HUB], clock);
    for (let minute = 0; minute < 12; minute++) {
      latency.asked(HUB, undefined, true);
      await clock.advance(MINUTE_MS);
    }
    const { failed, latencyMs } = latency.all;
    expect(failed).toBeGreaterThanOrEqual(9);
    expect(failed).toBeLessThanOrEqual(10);
    expect(latencyMs).toBeUndefined();
  });
});

describe("when a registry allows more again", () => {
  const seenAt = 1_000_000;
  const budget = { limit: 100, remaining: 76, windowMs: 6 * 60 * MINUTE_MS, seenAt };
  const now = seenAt + 1_000;

  test.each([
    ["nobody said anything", undefined, undefined, undefined],
    [
      "only a window was said: no later than all of it after the last look",
      budget,
      undefined,
      { at: seenAt + budget.windowMs, isStated: false },
    ],
    ["nothing is used", { ...budget, remaining: 100 }, undefined, undefined],
    ["no window was said", { ...budget, windowMs: 0 }, undefined, undefined],
    [
      "the registry named a time for what is used up",
      { ...budget, remaining: 0 },
      now + 5_000,
      { at: now + 5_000, isStated: true },
    ],
    [
      "a limit of another kind is met while pulls are left",
      budget,
      now + 5_000,
      { at: seenAt + budget.windowMs, isStated: false },
    ],
    ["a registry without a budget named a time", undefined, now + 5_000, { at: now + 5_000, isStated: true }],
    [
      "the named time is over",
      { ...budget, remaining: 0 },
      now - 1,
      { at: seenAt + budget.windowMs, isStated: false },
    ],
    ["the window is over", { ...budget, seenAt: now - budget.windowMs - 1 }, undefined, undefined],
  ] as const)("where %s", (_, known, stated, expected) => {
    expect(budgetReturn(known, stated, now)).toEqual(expected);
  });

  test("as Docker Hub says it: the length of its window", async () => {
    const windowSeconds = 21_600;
    const { fake, client } = await startUpstream({
      mode: "hub",
      settings: { rateLimit: { limit: 100, windowSeconds } },
    });
    fake.addImage("library/alpine", "3", { layers: [1_000] });
    await client.headManifest(askFor("library/alpine", "3"));
    expect(client.status().budgetReturn).toBeUndefined();
    await client.getManifest(askFor("library/alpine", "3"));
    const { rateLimit, budgetReturn: told } = client.status();
    expect(rateLimit).toMatchObject({ limit: 100, remaining: 99 });
    expect(told).toEqual({ at: (rateLimit?.seenAt ?? 0) + windowSeconds * 1_000, isStated: false });
  });

  test("as a 429 says it", async () => {
    const { fake, client, clock } = await startUpstream({ mode: "plain" });
    fake.addImage("library/alpine", "3", { layers: [1_000] });
    await client.getManifest(askFor("library/alpine", "3"));
    expect(client.status().budgetReturn).toBeUndefined();
    fake.fail(/manifests/, { kind: "rate-limited", retryAfter: "30" });
    const before = clock.now();
    await expect(client.getManifest(askFor("library/alpine", "3"))).rejects.toMatchObject({
      code: "rate-limited",
    });
    const told = client.status().budgetReturn;
    expect(told?.isStated).toBe(true);
    expect(told?.at).toBeGreaterThanOrEqual(before + 30_000 - 50);
    expect(told?.at).toBeLessThanOrEqual(clock.now() + 30_000);
    clock.aheadMs += 31_000;
    expect(client.status().budgetReturn).toBeUndefined();
  });
});
