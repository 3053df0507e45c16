/** Shows that events of several nodes become one list in which nothing is lost or told twice, page by page, whatever their clocks say. */
import { expect, test } from "vitest";
import type { NodeEvent } from "../../../src/fleet/records/fleet-records.ts";
import { laterOf, pastOf } from "../../../src/fleet/records/merge-events.ts";
import type { AnyEvent } from "../../../src/fleet/records/own-records.ts";
import { formatPlaces, type Places, parsePlaces } from "../../../src/fleet/records/places.ts";

type Node = { readonly node: string; readonly events: readonly AnyEvent[] };

/** A node whose events happened at these times, the oldest first. */
function nodeAt(node: string, ...times: readonly number[]): Node {
  const events = times.map((at, index) => ({ id: index + 1, at, kind: "evicted", text: "", facts: {} }));
  return { node, events };
}

const names = (items: readonly NodeEvent[]) => items.map(({ node, id }) => `${node}${id}`).join(" ");

/** As a node answers: at most `most` of those before its place. */
function page(nodes: readonly Node[], limit: number, before: Places, most = limit) {
  const all = nodes.map(({ node, events }) => {
    const fit = events.filter(({ id }) => id < (before.get(node) ?? Number.MAX_SAFE_INTEGER));
    return { node, told: { items: fit.toReversed().slice(0, most), hasMore: fit.length > most } };
  });
  return pastOf(all, limit, before);
}

/** All pages, one after the other. */
function walk(nodes: readonly Node[], limit: number, most = limit): string[] {
  const pages: string[] = [];
  for (let before: Places | undefined = new Map(); before !== undefined; ) {
    const { items, next } = page(nodes, limit, before, most);
    pages.push(names(items));
    before = next && parsePlaces(formatPlaces(next), "after");
  }
  return pages;
}

const LAB = [nodeAt("a", 10, 40, 50), nodeAt("b", 20, 30, 60, 70), nodeAt("c")];

test("the newest comes first, and pages follow each other without a gap", () => {
  expect(walk(LAB, 100)).toEqual(["b4 b3 a3 a2 b2 b1 a1"]);
  expect(walk(LAB, 3)).toEqual(["b4 b3 a3", "a2 b2 b1", "a1"]);
  expect(walk(LAB, 1)).toEqual(["b4", "b3", "a3", "a2", "b2", "b1", "a1"]);
});

test("a page ends where it is not known what else a node has", () => {
  expect(walk(LAB, 100, 2)).toEqual(["b4 b3", "a3 a2", "b2 b1 a1"]);
});

test("what happens between two pages is on neither of them", () => {
  const { items, next = new Map() } = page(LAB, 2, new Map());
  expect(names(items)).toBe("b4 b3");
  const later = [nodeAt("a", 10, 40, 50, 80), nodeAt("b", 20, 30, 60, 70, 90), nodeAt("c", 85)];
  expect(names(page(later, 100, next).items)).toBe("a3 a2 b2 b1 a1");
});

test("a clock that was set back changes the order of no node's own events", () => {
  const nodes = [nodeAt("a", 100, 20, 30), nodeAt("b", 25)];
  expect(walk(nodes, 2)).toEqual(["a3 b1", "a2 a1"]);
});

test("a node that is missing for a page is not passed over", () => {
  const [a, b] = LAB;
  if (a === undefined || b === undefined) throw new Error("there are three");
  const first = page(LAB, 3, new Map());
  const alone = page([a], 1, first.next ?? new Map());
  expect(names(alone.items)).toBe("a2");
  expect(names(page([a, b], 10, alone.next ?? new Map()).items)).toBe("b2 b1 a1");
});

test("what came after is told oldest first, and each node goes on where it was", () => {
  const { seen } = page(LAB.slice(0, 2), 1, new Map());
  expect(formatPlaces(seen)).toBe("a:3,b:4");
  const after = (nodes: readonly Node[], since: Places, limit = 10) => {
    const all = nodes.map(({ node, events }) => {
      const items = events.filter(({ id }) => id > (since.get(node) ?? 0));
      return { node, told: { items, hasMore: false } };
    });
    return laterOf(all, limit, since);
  };
  const later = [nodeAt("a", 10, 40, 50, 80, 82), nodeAt("b", 20, 30, 60, 70, 81), nodeAt("c", 85)];
  const first = after(later, seen, 2);
  expect(names(first.items)).toBe("a4 b5");
  expect(names(after(later, first.seen).items)).toBe("a5 c1");
  // Of one that is missing the place stays.
  expect(after(later.slice(1), seen).seen.get("a")).toBe(3);
});

test("a place that no answer gave is refused", () => {
  expect(formatPlaces(parsePlaces("a:1,b.c-d:22", "after"))).toBe("a:1,b.c-d:22");
  expect(parsePlaces("", "after")).toEqual(new Map());
  for (const text of [" ", "a", "a:", ":1", "a:x", "a:1,", "a:1;b:2", "ä:1"])
    expect(() => parsePlaces(text, "since")).toThrow("since: expected what an earlier answer gave");
});
