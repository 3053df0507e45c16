/** Owns that news reaches every other node once, also news that comes late, and that a node hears when it may have missed some. */
import { expect, onTestFinished, test } from "vitest";
import type { News } from "../../src/fleet/journal.ts";
import { openFleetDatabase } from "../../src/fleet/postgres/connection.ts";
import { PostgresJournal } from "../../src/fleet/postgres/journal.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { serverOfFile } from "../support/services/server-of-file.ts";

const server = serverOfFile();

/** A node whose journal has been read once, and what it has heard since. */
async function nodeAt(address: string, node: string, incarnation = "1") {
  const database = await openFleetDatabase(address, { log: silentLog, clock: systemClock });
  onTestFinished(() => database.close());
  const journal = new PostgresJournal(database, { node, incarnation });
  const heard: [News, string][] = [];
  const gaps: number[] = [];
  journal.onNews((news, from) => heard.push([news, from]));
  journal.onGap(() => gaps.push(heard.length));
  await journal.read();
  return { database, journal, heard, gaps };
}

const news = (n: number): News => ({ kind: "tag", body: { n, text: 'a"b' } });

test("news is heard by all others once, in its order, and by nobody who told it or came later", async () => {
  const address = await server.current.createDatabase();
  const [a, b] = [await nodeAt(address, "a"), await nodeAt(address, "b")];
  const again = await nodeAt(address, "a", "2");
  for (let n = 0; n < 3; n++) await a.journal.tell(news(n));
  const late = await nodeAt(address, "c");
  for (let times = 0; times < 3; times++) for (const { journal } of [a, b, again, late]) await journal.read();
  expect(a.heard).toEqual([]);
  expect(late.heard).toEqual([]);
  const all = [0, 1, 2].map((n) => [news(n), "a"]);
  expect(b.heard).toEqual(all);
  expect(again.heard).toEqual(all);
  expect([a, b, again, late].flatMap(({ gaps }) => gaps)).toEqual([]);
});

test("thousands of news are heard in one go", async () => {
  const address = await server.current.createDatabase();
  const [a, b] = [await nodeAt(address, "a"), await nodeAt(address, "b")];
  await a.database.query(
    `insert into changes (node, incarnation, kind, body) select 'a', '1', 'tag', to_jsonb(n) from generate_series(1, 2100) as n`,
  );
  await Promise.all([b.journal.read(), b.journal.read()]);
  expect(b.heard.map(([{ body }]) => body)).toEqual(Array.from({ length: 2100 }, (_, index) => index + 1));
});

test("news of a transaction that ends late is heard, though newer news was heard before it", async () => {
  const address = await server.current.createDatabase();
  const [a, b] = [await nodeAt(address, "a"), await nodeAt(address, "b")];
  let joined: Awaited<ReturnType<typeof nodeAt>> | undefined;
  await a.database.inTransaction(async (query) => {
    await query("insert into changes (node, incarnation, kind, body) values ('a', '1', 'tag', '1')");
    await a.journal.tell({ kind: "tag", body: 2 });
    await b.journal.read();
    joined = await nodeAt(address, "c");
  });
  await a.journal.tell({ kind: "tag", body: 3 });
  await b.journal.read();
  expect(b.heard.map(([{ body }]) => body)).toEqual([2, 1, 3]);
  await joined?.journal.read();
  expect(joined?.heard.map(([{ body }]) => body)).toEqual([1, 3]);
});

test("old news goes, what it was is not heard again, and what comes after it is", async () => {
  const address = await server.current.createDatabase();
  const [a, b] = [await nodeAt(address, "a"), await nodeAt(address, "b")];
  await a.journal.tell(news(1));
  await a.journal.tell(news(2));
  await b.journal.read();
  await a.database.query("update changes set at = at - interval '2 minutes'");
  await b.journal.read();
  await a.database.query("update changes set at = at - interval '9 minutes' where seq = 1");
  await a.journal.prune();
  expect(await a.database.query("select seq from changes")).toEqual([{ seq: 2 }]);
  await a.journal.tell(news(3));
  await b.journal.read();
  expect(b.heard.map(([each]) => each)).toEqual([news(1), news(2), news(3)]);
  expect(b.gaps).toEqual([]);
});

test("a node that was cut off for longer than news is kept is told of a gap, and hears on from there", async () => {
  const address = await server.current.createDatabase();
  const [a, b] = [await nodeAt(address, "a"), await nodeAt(address, "b")];
  await a.journal.tell(news(1));
  // As if the database's clock were further on: what the node has read is eleven minutes old.
  await server.current.ask(
    address,
    `create schema later; create function later.clock_timestamp() returns timestamptz language sql
       as 'select pg_catalog.clock_timestamp() + interval ''11 minutes''';
     alter database ${new URL(address).pathname.slice(1)} set search_path = later, public, pg_catalog`,
  );
  await server.current.stop();
  await expect(b.journal.read()).rejects.toMatchObject({ code: "fleet-unavailable" });
  await server.current.start();
  await expect.poll(() => b.journal.read().then(() => b.gaps)).toEqual([0]);
  await a.database.query("select 1 as one").catch(() => undefined);
  await expect
    .poll(() =>
      a.journal.tell(news(2)).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  await b.journal.read();
  expect(b.heard.map(([each]) => each)).toEqual([news(2)]);
  expect(b.gaps).toEqual([0]);
});

test("a database that was made anew, or is an older copy of itself, is a gap", async () => {
  const address = await server.current.createDatabase();
  const [a, b] = [await nodeAt(address, "a"), await nodeAt(address, "b")];
  for (let n = 0; n < 5; n++) await a.journal.tell(news(n));
  await b.journal.read();
  await a.database.query("select setval('changes_seq_seq', 2)");
  await a.database.query("delete from changes where seq > 2");
  await b.journal.read();
  expect(b.gaps).toEqual([5]);
  await a.database.query("update granary_version set identity = 'another'");
  await b.journal.read();
  await a.journal.tell(news(9));
  await b.journal.read();
  expect(b.gaps).toEqual([5, 5]);
  expect(b.heard.at(-1)).toEqual([news(9), "a"]);
});

test("what is too large is refused, and a journal that cannot be read says so", async () => {
  const { journal, database } = await nodeAt(await server.current.createDatabase(), "a");
  await expect(journal.tell({ kind: "tag", body: "x".repeat(70_000) })).rejects.toMatchObject({
    code: "store-damaged",
  });
  await database.close();
  await expect(journal.read()).rejects.toMatchObject({ code: "closed" });
});
