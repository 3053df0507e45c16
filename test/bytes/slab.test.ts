/** Slabs: memory is used again only when nobody can see what was in it, and never before. */
import { describe, expect, it } from "vitest";
import { giveBack, newSlab } from "../../src/bytes/slab.ts";

const SIZE = 96 * 1024;

/** Fills the slab with `value` and takes all of it, in two chunks. */
function fill(slab: ReturnType<typeof newSlab>, value: number): readonly [Uint8Array, Uint8Array] {
  const put = (bytes: number) => {
    slab.room.fill(value, 0, bytes);
    slab.came(bytes);
    return slab.take();
  };
  const chunks = [put(SIZE / 3), put(2 * (SIZE / 3))] as const;
  slab.fill();
  return chunks;
}

describe("a slab", () => {
  it("hands out what has come since the last chunk, and has room for the rest", () => {
    const slab = newSlab(SIZE);
    slab.came(10);
    slab.came(20);
    expect(slab.waiting).toBe(30);
    expect(slab.take().byteLength).toBe(30);
    expect(slab.waiting).toBe(0);
    expect([slab.left, slab.room.byteLength]).toEqual([SIZE - 30, SIZE - 30]);
  });

  it("is used again when all of it was given back, and its old chunks are empty then", () => {
    const [first, second] = fill(newSlab(SIZE), 1);
    giveBack(second);
    expect(first[0]).toBe(1);
    giveBack(first);
    expect([first.byteLength, second.byteLength]).toEqual([0, 0]);
    expect(newSlab(SIZE).room[0]).toBe(1);
  });

  it("of which somebody keeps a part is left alone", () => {
    const [first, second] = fill(newSlab(SIZE), 2);
    giveBack(first);
    giveBack(second.subarray(1));
    expect(second[0]).toBe(2);
    expect(newSlab(SIZE).room.buffer).not.toBe(second.buffer);
  });

  it("into which more may come is not used again", () => {
    const slab = newSlab(SIZE);
    slab.came(10);
    const chunk = slab.take();
    giveBack(chunk);
    expect(chunk.byteLength).toBe(10);
    slab.fill();
    expect(chunk.byteLength).toBe(0);
  });
});

it("Memory that is no slab's is freed when all of it is given back, and a part of a buffer is left alone", () => {
  const own = new Uint8Array(10);
  const shared = new Uint8Array(10);
  giveBack(own);
  giveBack(shared.subarray(0, 5));
  expect([own.byteLength, shared.byteLength]).toEqual([0, 10]);
});
