/** Gather: written before marked (F3), few wake-ups (F14), and no more memory than its cap. */
import { describe, expect, test } from "vitest";
import type { ByteRange } from "../../src/bytes/byte-range.ts";
import { Gather } from "../../src/fill/gather.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

type Write = { readonly offset: number; readonly bytes: number; finish(error?: Error): void };

/** A Gather over a disk whose writes the test finishes by hand. */
function gatherer() {
  const clock = new FakeClock();
  const writes: Write[] = [];
  const arrived: ByteRange[] = [];
  const write = (offset: number, buffers: readonly Uint8Array[]) =>
    new Promise<void>((resolve, reject) => {
      const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
      writes.push({ offset, bytes, finish: (error) => (error === undefined ? resolve() : reject(error)) });
    });
  const gather = new Gather({ write }, 1_000, clock, (range) => arrived.push(range));
  return { clock, writes, arrived, gather };
}

describe("Gather", () => {
  test("F3: nothing has arrived before its write returned", async () => {
    const { writes, arrived, gather } = gatherer();
    gather.push(new Uint8Array(256 * KIB));
    await settle();
    expect(arrived).toEqual([]);
    writes[0]?.finish();
    await settle();
    expect(arrived).toEqual([{ start: 1_000, end: 1_000 + 256 * KIB }]);
  });

  test("F14: small chunks are written together after 20 ms, or when 256 KiB have come", async () => {
    const { clock, writes, gather } = gatherer();
    for (let chunk = 0; chunk < 5; chunk++) gather.push(new Uint8Array(KIB));
    await clock.advance(19);
    expect(writes).toEqual([]);
    await clock.advance(1);
    expect(writes.map(({ bytes }) => bytes)).toEqual([5 * KIB]);
    writes[0]?.finish();
    await settle();
    for (let chunk = 0; chunk < 256; chunk++) gather.push(new Uint8Array(KIB));
    expect(writes.map(({ bytes }) => bytes)).toEqual([5 * KIB, 256 * KIB]);
  });

  test("what comes while a write is in flight is one write after it", async () => {
    const { clock, writes, gather } = gatherer();
    gather.push(new Uint8Array(256 * KIB));
    for (let chunk = 0; chunk < 16; chunk++) gather.push(new Uint8Array(64 * KIB));
    expect(writes).toHaveLength(1);
    writes[0]?.finish();
    await settle();
    expect(writes.map(({ offset, bytes }) => [offset, bytes])).toEqual([
      [1_000, 256 * KIB],
      [1_000 + 256 * KIB, MIB],
    ]);
    writes[1]?.finish();
    await clock.advance(100);
    expect(clock.timers).toBe(0);
  });

  test("F7: past 4 MiB of unwritten bytes the lane waits for the disk", async () => {
    const { writes, gather } = gatherer();
    const chunk = new Uint8Array(64 * KIB);
    let pushed = 0;
    let full: Promise<void> | undefined;
    for (; full === undefined && pushed < 100 * MIB; pushed += chunk.length) full = gather.push(chunk);
    expect(pushed).toBeLessThanOrEqual(4 * MIB + 320 * KIB);
    let isFree = false;
    void full?.then(() => {
      isFree = true;
    });
    await settle();
    expect(isFree).toBe(false);
    writes[0]?.finish();
    await settle();
    writes[1]?.finish();
    await settle();
    expect(isFree).toBe(true);
  });

  test("a flush writes the rest and resolves when it is present", async () => {
    const { clock, writes, arrived, gather } = gatherer();
    gather.push(new Uint8Array(10));
    const flushed = gather.flush();
    writes[0]?.finish();
    await flushed;
    expect(arrived).toEqual([{ start: 1_000, end: 1_010 }]);
    expect(clock.timers).toBe(0);
  });

  test("a write that failed is thrown by the next push and by the flush, and nothing after it is written", async () => {
    const { clock, writes, arrived, gather } = gatherer();
    gather.push(new Uint8Array(256 * KIB));
    gather.push(new Uint8Array(10));
    writes[0]?.finish(new Error("the disk is gone"));
    await settle();
    expect(() => gather.push(new Uint8Array(1))).toThrow("the disk is gone");
    await expect(gather.flush()).rejects.toThrow("the disk is gone");
    expect(writes).toHaveLength(1);
    expect(arrived).toEqual([]);
    expect(clock.timers).toBe(0);
  });
});
