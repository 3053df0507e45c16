/** F6 and F7 with the real parts: what crosses the network, and what it costs in memory. */
import { describe, expect, test } from "vitest";
import { realFills } from "../support/real-fills.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

describe("each byte once", () => {
  test("F6: twenty whole readers cost one transfer", async () => {
    const { fake, store, recorded, blob } = await realFills();
    const { digest, read } = blob(1, 12 * MIB);
    const counts = await Promise.all(Array.from({ length: 20 }, () => read()));
    expect(new Set(counts)).toEqual(new Set([12 * MIB]));
    expect(fake.bytesSentFor(digest)).toBe(12 * MIB);
    await expect.poll(() => recorded).toEqual([digest]);
    expect(await store.blobs.stat(digest)).toEqual({ size: 12 * MIB });
    expect(fake.maxConcurrentFor(digest)).toBeLessThanOrEqual(6);
  });

  test("F6: sixteen far-apart ranged readers, an Ollama client, cost one transfer", async () => {
    const { fake, blob } = await realFills();
    const { digest, read } = blob(2, 32 * MIB);
    const part = 2 * MIB;
    const counts = await Promise.all(
      Array.from({ length: 16 }, (_, index) => read({ start: index * part, end: (index + 1) * part })),
    );
    expect(counts).toEqual(Array(16).fill(part));
    expect(fake.bytesSentFor(digest)).toBeLessThanOrEqual(32 * MIB + 6 * MIB);
  });

  test("F6: a present or claimed byte is never asked for again, with every 3rd connection cut", async () => {
    const { fake, blob } = await realFills();
    const { digest, read } = blob(3, 12 * MIB);
    let blobRequests = 0;
    const isThird = ({ kind }: { kind: string }) => kind === "blob" && blobRequests++ % 3 === 2;
    fake.fail(isThird, { kind: "cut", afterBytes: 300_000 }, { times: 1_000 });
    const counts = await Promise.all([
      read(),
      read({ start: 9 * MIB, end: 11 * MIB }),
      read({ start: 6 * MIB, end: 6 * MIB + 5 }),
      read(),
    ]);
    expect(counts).toEqual([12 * MIB, 2 * MIB, 5, 12 * MIB]);
    const cuts = Math.floor(fake.count({ kind: "blob" }) / 3);
    expect(cuts).toBeGreaterThan(3);
    // A dying connection loses what was on the wire: at most the 300 kB that it had sent.
    expect(fake.bytesSentFor(digest)).toBeLessThanOrEqual(12 * MIB + cuts * 300_000);
    const asked = fake.matching({ kind: "blob" }).map(({ range }) => range);
    expect(new Set(asked).size).toBe(asked.length);
  });

  test("F6: the bytes of a partial are not fetched again by a later fill", async () => {
    const { fake, fills, blob } = await realFills({ policy: { lingerMs: 0 } });
    const { digest, read } = blob(4, 16 * MIB);
    await read({ start: 4 * MIB, end: 6 * MIB });
    await expect.poll(() => fills.status()).toEqual([]);
    await fills.drain(5_000);
    const first = fake.bytesSentFor(digest);
    expect(await read()).toBe(16 * MIB);
    expect(fake.bytesSentFor(digest)).toBe(16 * MIB);
    expect(first).toBeGreaterThanOrEqual(2 * MIB);
  });

  test("F7: a stalled reader slows nobody, and a hundred of them hold no memory", async () => {
    const { fills, blob } = await realFills();
    const { reader, read } = blob(5, 48 * MIB);
    const stalled = Array.from({ length: 100 }, () => reader());
    const tiny = new Uint8Array(1);
    await Promise.all(stalled.map((each) => each.read(tiny)));
    expect(await read()).toBe(48 * MIB);
    // All hundred stand at byte 1 of 48 MiB: were it buffered for them, this would be gigabytes.
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(200 * MIB);
    for (const each of stalled) each.close();
    await expect.poll(() => fills.status()).toEqual([]);
  });
});
