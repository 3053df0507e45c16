/** Tests for test/support/memory-bucket.ts: it keeps the contract of every Bucket, so that what is tried on it can be believed. */
import { expect, test } from "vitest";
import { systemClock } from "../../src/observe/clock.ts";
import { bucketContract } from "../contract/bucket-contract.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { MemoryBucket } from "../support/memory-bucket.ts";

bucketContract("memory", async () => {
  const bucket = new MemoryBucket(systemClock);
  return { bucket, get: async (url) => bucket.get(url) };
});

test("a memory bucket that is away answers nothing, and breaks what is being read", async () => {
  const bucket = new MemoryBucket(new FakeClock());
  await bucket.put("key", new Uint8Array(200_000));
  const opened = await bucket.open("key", { start: 0, end: 200_000 }, new AbortController().signal);
  const reading = (async () => {
    for await (const _ of opened?.body ?? []) bucket.away = true;
  })();
  await expect(reading).rejects.toMatchObject({ code: "fleet-unavailable" });
  await expect(bucket.head("key")).rejects.toMatchObject({ code: "fleet-unavailable" });
  bucket.away = false;
  expect(await bucket.head("key")).toEqual({ size: 200_000 });
  expect(bucket.requests).toMatchObject({ put: 1, open: 1, head: 2 });
});

test("a slow memory bucket takes its time for each request, by the clock of the test", async () => {
  const clock = new FakeClock();
  const bucket = new MemoryBucket(clock);
  bucket.slow = 300;
  const begun = clock.elapsed();
  const took = async () => {
    await bucket.head("key");
    return clock.elapsed() - begun;
  };
  const both = Promise.all([took(), took()]);
  await clock.advance(1_000);
  expect(await both).toEqual([300, 300]);
});
