/** Shows that the sums over partials are true after whatever fills do, in any order, and that nobody is counted twice or not at all. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Room } from "../../../src/fill/room.ts";
import { Ledger } from "../../../src/mirror/space/ledger.ts";
import { digestOf } from "../../../src/oci/digest.ts";

const KEYS = [0, 1, 2].map((index) => ({ digest: digestOf(Buffer.from(`${index}`)), upstream: "u" }));
const keyAt = (index: number) => KEYS[index % KEYS.length] ?? fail();

function fail(): never {
  throw new Error("There is no such key.");
}

function ledger() {
  return new Ledger({ now: () => 1_000 });
}

const extend = async () => true;

test("what is kept for a blob and what is there of it are together never more than the blob", () => {
  const book = ledger();
  const release = book.reserve(keyAt(0), 100);
  expect([book.occupied, book.coming]).toEqual([0, 100]);
  const room = book.room(keyAt(0), 100, extend);
  release();
  release();
  room.occupies(30);
  expect([book.occupied, book.coming]).toEqual([30, 70]);
  expect(book.needed(keyAt(0), 100)).toBe(0);
  room.release();
  expect([book.occupied, book.coming]).toEqual([30, 0]);
  expect(book.needed(keyAt(0), 100)).toBe(70);
  expect(book.idle()).toMatchObject([{ ...keyAt(0), occupied: 30, changedAt: 1_000 }]);
});

test("a fill that is passed through gives back what it will not write, and who asks for the same needs it again", () => {
  const book = ledger();
  const room = book.room(keyAt(0), 100, extend);
  room.occupies(30);
  room.giveBack();
  expect([book.occupied, book.coming]).toEqual([30, 0]);
  expect(book.needed(keyAt(0), 100)).toBe(70);
  book.reserve(keyAt(0), 100);
  expect([book.occupied, book.coming]).toEqual([30, 70]);
  expect(book.needed(keyAt(0), 100)).toBe(0);
});

test("a fill of another size than was said needs what it has, and one without a size what it is extended to", async () => {
  const book = ledger();
  book.reserve(keyAt(0), 1_000);
  book.room(keyAt(0), 10, extend);
  expect(book.coming).toBe(10);
  const grows = book.room(keyAt(1), 0, extend);
  grows.occupies(5);
  await grows.extend(64);
  expect([book.occupied, book.coming]).toEqual([5, 10 + 59]);
  await grows.extend(20);
  expect(book.coming).toBe(10 + 59);
});

test("what left is told to who looked before, so that a commit is in one of two sums", () => {
  const book = ledger();
  const room = book.room(keyAt(0), 50, extend);
  room.occupies(50);
  const { left } = book;
  room.occupies(0);
  room.release();
  expect(book.left - left).toBe(50);
  expect(book.occupied).toBe(0);
});

test("the disk's word counts for partials that nobody has, and that did not change since it was asked", () => {
  const book = ledger();
  const saved = (index: number, present: number) => ({ ...keyAt(index), size: 100, present, changedAt: 7 });
  book.correct([saved(0, 10), saved(1, 20)], book.revision);
  expect(book.occupied).toBe(30);
  const before = book.revision;
  const running = book.room(keyAt(0), 100, extend);
  running.occupies(60);
  book.removed(keyAt(1));
  book.correct([saved(0, 10), saved(1, 20), saved(2, 40)], before);
  expect(book.occupied).toBe(60 + 40);
  running.release();
  book.correct([saved(0, 55)], book.revision);
  expect(book.idle()).toMatchObject([{ occupied: 55 }]);
});

const steps = fc.array(
  fc.record({
    what: fc.constantFrom("reserve", "room", "occupies", "extend", "giveBack", "release", "correct"),
    key: fc.nat(2),
    of: fc.nat(9),
    bytes: fc.nat(100),
  }),
  { maxLength: 60 },
);

test("in any order of keeping, filling, giving back and looking at the disk the sums are those of the accounts, and nothing is left", () => {
  fc.assert(
    fc.property(steps, (list) => {
      const book = ledger();
      const releases: (() => void)[] = [];
      const rooms: Room[] = [];
      for (const { what, key, of, bytes } of list) {
        const room = rooms[of % Math.max(1, rooms.length)];
        if (what === "reserve") releases.push(book.reserve(keyAt(key), bytes));
        if (what === "room") rooms.push(book.room(keyAt(key), bytes, extend));
        if (what === "occupies") room?.occupies(bytes);
        if (what === "extend") void room?.extend(bytes);
        if (what === "giveBack") room?.giveBack();
        if (what === "release") releases[of % Math.max(1, releases.length)]?.();
        if (what === "correct")
          book.correct([{ ...keyAt(key), size: 100, present: bytes, changedAt: 1 }], book.revision);
        expect(Math.min(book.occupied, book.coming, book.left)).toBeGreaterThanOrEqual(0);
      }
      for (const release of [...releases, ...rooms.map((room) => () => room.release())]) release();
      expect(book.coming).toBe(0);
      expect(book.occupied).toBe(book.idle().reduce((sum, { occupied }) => sum + occupied, 0));
      book.correct([], book.revision);
      expect([book.occupied, book.coming, book.idle()]).toEqual([0, 0, []]);
    }),
    { numRuns: 500 },
  );
});
