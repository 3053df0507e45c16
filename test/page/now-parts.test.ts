/** Shows the pure parts of the view of this moment: the order of the list of fills, the minutes of the last hour, and maps of random blobs. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextRows, type Row } from "../../src/page/now/fill-rows.js";
import { forWhom, held } from "../../src/page/now/fill-words.js";
import { columnsOf, isHere, NOTHING, WHOLE } from "../../src/page/parts/map-columns.js";
import { laneMoves, readerMoves } from "../../src/page/parts/map-moves.js";
import { mapText } from "../../src/page/parts/map-text.js";
import { wholeHour } from "../../src/page/whole-hour.js";
import { MADE_AT, madeFill } from "./support/made-stream.ts";

describe("the list of fills", () => {
  const [one, two, three, four] = [1, 2, 3, 4].map((at) =>
    madeFill(at, { size: 100, runs: [{ start: 0, end: 40 }] }),
  );
  if (one === undefined || two === undefined || three === undefined || four === undefined)
    throw new Error("four");
  const names = (rows: readonly Row[]) =>
    rows.map(({ fill, end }) => [fill.begunAt - MADE_AT + 60_000, end?.how]);
  const ended = {
    id: 1,
    at: MADE_AT,
    kind: "fill-ended",
    text: "",
    facts: { digest: two.digest, upstream: two.upstream },
  };

  test("keeps each in its place, whatever order the server names them in", () => {
    const first = nextRows([], { fills: [three, one, two], now: MADE_AT }, []);
    expect(names(first)).toEqual([
      [1, undefined],
      [2, undefined],
      [3, undefined],
    ]);
    const second = nextRows(first, { fills: [four, two, three, one], now: MADE_AT + 1_000 }, []);
    expect(names(second)).toEqual([
      [1, undefined],
      [2, undefined],
      [3, undefined],
      [4, undefined],
    ]);
  });

  test("says that one is whole where it stood, and gives its place to the next one", () => {
    const before = nextRows([], { fills: [one, two, three], now: MADE_AT }, []);
    const whole = nextRows(before, { fills: [one, three], now: MADE_AT + 1_000 }, [ended]);
    expect(names(whole)).toEqual([
      [1, undefined],
      [2, "whole"],
      [3, undefined],
    ]);
    expect(whole[1]?.fill).toMatchObject({
      present: 100,
      lanes: 0,
      readers: 0,
      runs: [{ start: 0, end: 100 }],
    });
    const still = nextRows(whole, { fills: [one, three, four], now: MADE_AT + 4_000 }, [ended]);
    expect(names(still)).toEqual([
      [1, undefined],
      [2, "whole"],
      [3, undefined],
      [4, undefined],
    ]);
    const taken = nextRows(whole, { fills: [one, three, four], now: MADE_AT + 6_000 }, [ended]);
    expect(names(taken)).toEqual([
      [1, undefined],
      [4, undefined],
      [3, undefined],
    ]);
    const going = nextRows(whole, { fills: [one, three], now: MADE_AT + 5_000 }, [ended]);
    expect(going.map(({ end }) => end?.isGoing)).toEqual([undefined, true, undefined]);
    const left = nextRows(whole, { fills: [one, three], now: MADE_AT + 6_000 }, [ended]);
    expect(names(left)).toEqual([
      [1, undefined],
      [3, undefined],
    ]);
  });

  test("says that one was paused or failed, and does not call it whole", () => {
    const before = nextRows([], { fills: [two], now: MADE_AT }, []);
    for (const [kind, how] of [
      ["fill-paused", "paused"],
      ["fill-failed", "failed"],
      ["digest-mismatch", "failed"],
    ] as const) {
      const [row] = nextRows(before, { fills: [], now: MADE_AT + 1_000 }, [{ ...ended, kind }]);
      expect(row?.end?.how).toBe(how);
      expect(row?.fill.present).toBe(40);
    }
    expect(nextRows(before, { fills: [], now: MADE_AT + 1_000 }, [])[0]?.end?.how).toBe("unknown");
    // Word of an earlier fill of the same blob says nothing of this one.
    const old = { ...ended, at: two.begunAt - 1 };
    expect(nextRows(before, { fills: [], now: MADE_AT + 1_000 }, [old])[0]?.end?.how).toBe("unknown");
  });
});

describe("the sentences about a fill", () => {
  test.each([
    [{ purpose: "waited", readers: 1, waits: 1 }, "1 client waits"],
    [{ purpose: "waited", readers: 40, waits: 40 }, "40 clients wait"],
    [{ purpose: "waited", readers: 3, waits: 1 }, "3 clients, 1 waits"],
    [{ purpose: "ahead", readers: 1, waits: 0 }, "1 client"],
    [{ purpose: "warm", readers: 0, waits: 0 }, "warm-up"],
  ] as const)("%j: %s", (given, words) => {
    expect(forWhom(madeFill(1, given))).toBe(words);
  });

  test("say why nothing comes", () => {
    const upstream = { name: "docker.io", circuit: "closed" } as const;
    const waits = (given: Parameters<typeof madeFill>[1], of: Parameters<typeof held>[1] = upstream) =>
      held(madeFill(1, given), of, MADE_AT);
    expect(waits({})).toBeUndefined();
    expect(waits({ heldForMs: 12_000 })).toBe("It leaves the line to clients that wait, for 12 s now.");
    expect(waits({ heldForMs: 12_000 }, { ...upstream, offlineSince: 1 })).toBe(
      "It waits: docker.io is set offline.",
    );
    expect(waits({}, { ...upstream, circuit: "open", retryAt: MADE_AT + 9_000 })).toBe(
      "It waits: docker.io does not answer, and is asked again in 9 s.",
    );
  });
});

describe("the minutes of the last hour", () => {
  const minute = (back: number, served: number) => ({
    at: MADE_AT - 30_000 - back * 60_000,
    served,
    fetched: 0,
  });
  const server = { now: MADE_AT, startedAt: 0 };

  test("are sixty, with nothing where nothing was", () => {
    const hour = wholeHour([], [minute(59, 5), minute(0, 7), minute(60, 9)], server);
    expect(hour).toHaveLength(60);
    expect([hour[0]?.served, hour[1]?.served, hour[59]?.served]).toEqual([5, 0, 7]);
  });

  test("are the server's own numbers, also when they became less", () => {
    const hour = wholeHour(wholeHour([], [minute(0, 7)], server), [minute(0, 6)], server);
    expect(hour.at(-1)?.served).toBe(6);
  });

  test("stay as they were shown where a server that was started anew has forgotten them", () => {
    const anew = { ...server, startedAt: MADE_AT - 10_000 };
    const hour = wholeHour(wholeHour([], [minute(1, 9), minute(0, 7)], server), [minute(0, 1)], anew);
    expect([hour.at(-2)?.served, hour.at(-1)?.served]).toEqual([9, 7]);
  });

  test("move on with the time", () => {
    const before = wholeHour([], [minute(0, 7)], server);
    const after = wholeHour(before, [], { ...server, now: MADE_AT + 120_000 });
    expect([after.at(-3)?.served, after.at(-1)?.served]).toEqual([7, 0]);
  });
});

describe("the columns of a map", () => {
  /** Sorted runs with gaps between them, in a blob of `size` bytes. */
  const blobs = fc
    .record({
      size: fc.integer({ min: 1, max: 2_000 }),
      points: fc.uniqueArray(fc.nat(2_000), { maxLength: 40 }),
    })
    .map(({ size, points }) => {
      const inside = points.filter((point) => point <= size).sort((a, b) => a - b);
      const runs = inside.flatMap((start, at) => {
        const end = inside[at + 1];
        return at % 2 === 0 && end !== undefined ? [{ start, end }] : [];
      });
      return madeFill(1, { size, runs, state: "verifying" });
    });

  test("are whole only when each byte is here, and empty only when none is", () => {
    fc.assert(
      fc.property(blobs, fc.integer({ min: 1, max: 300 }), (fill, width) => {
        for (const [column, level] of columnsOf(fill, width).entries()) {
          const [first, last] = [
            Math.floor((column * fill.size) / width),
            Math.ceil(((column + 1) * fill.size) / width) - 1,
          ];
          const here = Array.from({ length: last - first + 1 }, (_, at) => isHere(fill, first + at));
          if (level === WHOLE) expect(here).not.toContain(false);
          else if (level === NOTHING) expect(here).not.toContain(true);
          else expect(new Set(here).size).toBe(2);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("what moves on a map", () => {
  const before = madeFill(1, {
    size: 100,
    runs: [
      { start: 0, end: 20 },
      { start: 50, end: 60 },
    ],
    lanesAt: [20, 60],
    readersAt: [5],
  });
  test("is what each connection brought since the snapshot before", () => {
    const now = madeFill(1, {
      size: 100,
      runs: [
        { start: 0, end: 30 },
        { start: 50, end: 65 },
        { start: 80, end: 84 },
      ],
      lanesAt: [30, 65, 84, 90],
      readersAt: [25],
    });
    expect(laneMoves(now, before)).toEqual([
      { from: 20, to: 30 },
      { from: 60, to: 65 },
      { from: 80, to: 84 },
      { from: 90, to: 90 },
    ]);
    expect(readerMoves(now, before)).toEqual([{ from: 5, to: 25, isWaiting: false }]);
  });

  test("is nothing in the first snapshot, and never goes back", () => {
    expect(laneMoves(before, undefined)).toEqual([
      { from: 20, to: 20 },
      { from: 60, to: 60 },
    ]);
    expect(readerMoves({ ...before, readersAt: [2] }, before)).toEqual([
      { from: 2, to: 2, isWaiting: false },
    ]);
    expect(readerMoves({ ...before, readersAt: [20] }, undefined)).toEqual([
      { from: 20, to: 20, isWaiting: true },
    ]);
  });
});

describe("the text of a map", () => {
  type Given = Parameters<typeof madeFill>[1];
  const tenths = [0, 20, 40, 60, 80].map((start) => ({ start, end: start + 10 }));
  test.each<[Given, string]>([
    [{ runs: [] }, "Nothing is here yet."],
    [{ runs: [{ start: 0, end: 1 }], size: 40e9 }, "Less than 1 % is here: the first bytes."],
    [{ runs: [{ start: 0, end: 1e9 }], size: 1e9, state: "verifying" }, "All of it is here."],
    [{ runs: [], present: 5e8, size: 1e9, cells: "#.#." }, "50 % is here, in many pieces."],
    [
      { size: 100, runs: tenths, lanesAt: [50] },
      "50 % is here: the first 10 %, 20 % to 30 %, 40 % to 50 % and 2 more pieces. 1 connection writes, at 50 %.",
    ],
  ])("%j: %s", (given, text) => {
    expect(mapText(madeFill(1, given))).toBe(text);
  });
});
