/** Shows how the buffers of bodies share the memory there is. */
import { expect, test } from "vitest";
import { BufferPool } from "../../../src/http/answers/buffer-pool.ts";

const MiB = 2 ** 20;
const GiB = 2 ** 30;

test("a single body has buffers of a mebibyte, a small one no more than it needs", () => {
  const pool = new BufferPool();
  expect(pool.take(GiB)[0].byteLength).toBe(MiB);
  expect(pool.take(300_000)[1].byteLength).toBe(MiB / 2);
  expect(pool.take(700)[0].byteLength).toBe(700);
});

test("a hundred streams hold no more than 64 MiB, and afterwards there is room again (F7)", () => {
  const pool = new BufferPool();
  const pairs = Array.from({ length: 100 }, () => pool.take(GiB));
  expect(pairs.reduce((sum, pair) => sum + 2 * pair[0].byteLength, 0)).toBeLessThanOrEqual(64 * MiB);
  for (const pair of pairs) pool.give(pair, true);
  expect(pool.take(GiB)[0].byteLength).toBe(MiB);
});

test("five thousand bodies that nobody takes hold no more than 256 MiB, and give it back (F7)", () => {
  const pool = new BufferPool();
  const pairs = Array.from({ length: 5_000 }, () => pool.take(GiB));
  expect(pairs.reduce((sum, pair) => sum + 2 * pair[0].byteLength, 0)).toBeLessThanOrEqual(256 * MiB);
  for (const pair of pairs) pool.give(pair, false);
  expect(pool.take(GiB)[0].byteLength).toBe(MiB);
});

test("buffers are used again, unless a write may still name them", () => {
  const pool = new BufferPool();
  const first = pool.take(GiB);
  pool.give(first, true);
  expect(pool.take(GiB)).toBe(first);
  pool.give(first, false);
  // Not by toBe: where two values are not the same it compares them byte by byte as well, for a minute.
  expect(pool.take(GiB) === first).toBe(false);
});
