/** Shows that whatever another node tells is read or passed over, in bounds, and that nothing of it can make the asker fail. */
import { expect, test } from "vitest";
import { toldEvents, toldTraffic } from "../../../src/fleet/records/told-records.ts";

const EVENT = { id: 7, at: 1_000, kind: "evicted", text: "It went.", facts: { upstream: "docker.io", n: 1 } };
const NONE = { served: 0, fetched: 0, pulls: 0, hits: 0, misses: 0, saved: 0 };

test.each([undefined, null, 3, "text", [], {}, { items: 3 }, { rows: "many" }])(
  "%j is no answer",
  (value) => {
    expect(toldEvents(value)).toBeUndefined();
    expect(toldTraffic(value)).toBeUndefined();
  },
);

test("an event is read with what a newer version adds, also one of a kind that is not known here", () => {
  const newer = { ...EVENT, kind: "moved-elsewhere", more: { a: 1 } };
  expect(toldEvents({ items: [EVENT, newer], hasMore: true, version: 9 })).toEqual({
    items: [EVENT, { ...EVENT, kind: "moved-elsewhere" }],
    hasMore: true,
  });
  expect(toldEvents({ items: [{ ...EVENT, facts: undefined }] })).toEqual({
    items: [{ ...EVENT, facts: {} }],
    hasMore: false,
  });
});

test("what is no event is passed over", () => {
  const broken = [
    { id: "7" },
    { id: -1 },
    { at: "now" },
    { at: 1e300 },
    { at: 9e15 },
    { at: -1 },
    { kind: 3 },
    { kind: "<b>" },
    { text: undefined },
  ];
  const items = [null, 3, [], ...broken.map((wrong) => ({ ...EVENT, ...wrong })), EVENT];
  expect(toldEvents({ items })?.items).toEqual([EVENT]);
});

test("texts, facts and lists have bounds", () => {
  const facts = { long: "x".repeat(5_000), deep: { a: 1 }, none: null, yes: true };
  const [event] = toldEvents({ items: [{ ...EVENT, text: "y".repeat(5_000), facts }] })?.items ?? [];
  expect(event?.text).toHaveLength(400);
  expect(Object.keys(event?.facts ?? {})).toEqual(["long", "yes"]);
  expect(String(event?.facts.long)).toHaveLength(200);
  expect(toldEvents({ items: Array.from({ length: 5_000 }, () => EVENT) })?.items).toHaveLength(1_000);
  const rows = Array.from({ length: 9_000 }, (_, index) => ({ name: String(index), served: 1 }));
  expect(toldTraffic({ rows })?.rows).toHaveLength(5_000);
});

test("sums that are no numbers count as none, and what was saved is worked out here", () => {
  const rows = [
    { name: "2026-11-29", served: 10, fetched: 4, pulls: "many", hits: -1, misses: 0.5, saved: 1e9 },
    { served: 3 },
    "text",
  ];
  expect(toldTraffic({ rows, today: [], all: { served: 5, since: "long ago" } })).toEqual({
    rows: [{ ...NONE, name: "2026-11-29", served: 10, fetched: 4, saved: 6 }],
    today: NONE,
    all: { ...NONE, served: 5, saved: 5, since: undefined },
  });
});
