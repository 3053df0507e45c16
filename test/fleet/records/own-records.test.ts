/** Shows that what a node tells of its records is bounded, leaves out nothing without saying so, and answers every question it may be asked. */
import { expect, onTestFinished, test } from "vitest";
import type { RecordsQuestion } from "../../../src/fleet/peers/peer-request.ts";
import { OwnRecords } from "../../../src/fleet/records/own-records.ts";
import { toldEvents, toldTraffic } from "../../../src/fleet/records/told-records.ts";
import { openRecords } from "../../../src/records/records.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function world() {
  const records = openRecords({ clock: new FakeClock() });
  onTestFinished(() => records.close());
  const own = new OwnRecords(records);
  const asked = async (kind: RecordsQuestion["kind"], words: RecordsQuestion["words"] = {}) =>
    JSON.parse(JSON.stringify(await own.answer({ kind, words }))) as unknown;
  return {
    records,
    events: async (words?: RecordsQuestion["words"]) => toldEvents(await asked("events", words)),
    traffic: async (words?: RecordsQuestion["words"]) => toldTraffic(await asked("traffic", words)),
  };
}

test("events are told newest first, by kind and by page, and it is said that there are more", async () => {
  const { records, events } = world();
  for (const kind of ["evicted", "removed", "evicted"] as const) records.events.tell(kind, kind);
  const ids = async (words: RecordsQuestion["words"]) => {
    const { items = [], hasMore } = (await events(words)) ?? {};
    return [items.map(({ id }) => id), hasMore];
  };
  expect(await ids({})).toEqual([[3, 2, 1], false]);
  expect(await ids({ limit: "2" })).toEqual([[3, 2], true]);
  expect(await ids({ limit: "2", before: "2" })).toEqual([[1], false]);
  expect(await ids({ kind: "evicted" })).toEqual([[3, 1], false]);
  expect(await ids({ since: "1" })).toEqual([[2, 3], false]);
  // What a node of another version asks otherwise is no reason to fail.
  expect(await ids({ kind: "later", limit: "all", before: "-3" })).toEqual([[3, 2, 1], false]);
  // Whose directory was thrown away counts from the beginning.
  expect(await ids({ since: "700" })).toEqual([[1, 2, 3], false]);
});

test("the events of one answer fit into what an asker reads, and the others are on the next page", async () => {
  const { records, events } = world();
  const facts = Object.fromEntries(
    Array.from({ length: 5 }, (_, index) => [`fact${index}`, "é".repeat(180)]),
  );
  for (let each = 0; each < 1_000; each += 1) records.events.tell("evicted", "é".repeat(400), facts);
  const first = await events();
  expect(first?.hasMore).toBe(true);
  expect(Buffer.byteLength(JSON.stringify(first))).toBeLessThan(2 ** 22);
  const last = first?.items.at(-1)?.id ?? 0;
  expect((await events({ before: String(last) }))?.items[0]?.id).toBe(last - 1);
});

test("names beyond a number are told as others of their upstream, so that sums are right", async () => {
  const { records, traffic } = world();
  for (let each = 0; each < 999; each += 1) records.traffic.fetched("docker.io", `org/${each}`, 1);
  const rows = async (search?: string) =>
    (await traffic({ by: "repository", ...(search && { search }) }))?.rows;
  expect(await rows()).toHaveLength(999);
  expect(await rows("org/99")).toHaveLength(10);
  const many = Array.from({ length: 4_500 }, (_, index) => {
    const name = index % 2 === 0 ? `docker.io/org/${index}` : `2001:db8::${index}`;
    return { name, served: 1, fetched: 0, saved: 1, pulls: 0, hits: 0, misses: 0 };
  });
  const { totals } = records.traffic;
  const some = {
    events: records.events,
    traffic: { find: async () => many, totals: totals.bind(records.traffic) },
  };
  const told = toldTraffic(await new OwnRecords(some).answer({ kind: "traffic", words: {} }));
  expect(told?.rows).toHaveLength(4_002);
  expect(told?.rows.slice(-2)).toMatchObject([
    { name: "docker.io/(others)", served: 250, saved: 250 },
    { name: "(others)", served: 250 },
  ]);
  expect(told?.rows.reduce((sum, { served }) => sum + served, 0)).toBe(4_500);
});
