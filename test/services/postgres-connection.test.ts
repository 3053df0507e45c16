/** Owns what a node relies on when the fleet's database goes away in any of the ways in which servers do, and comes back. */
import { Writable } from "node:stream";
import { inspect } from "node:util";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { openFleetDatabase } from "../../src/fleet/postgres/connection.ts";
import type { FleetDatabase } from "../../src/fleet/postgres/fleet-database.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { createLog, silentLog } from "../../src/observe/log.ts";
import { hasPooler, startPooler } from "../support/services/pooler.ts";
import { serverOfFile } from "../support/services/server-of-file.ts";
import { serverCert, serverKey } from "../support/throwaway-tls.ts";

const server = serverOfFile();

async function opened(address: string, patienceMs = 5_000): Promise<FleetDatabase> {
  const database = await openFleetDatabase(address, { log: silentLog, clock: systemClock, patienceMs });
  onTestFinished(() => database.close());
  return database;
}

/** With all that a log or a debugger could show of it. */
function everythingOf(error: unknown): string {
  return inspect(error, { depth: 10, showHidden: true });
}

async function failureOf(work: Promise<unknown>) {
  const begun = performance.now();
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  return { error, ms: performance.now() - begun };
}

const one = (database: FleetDatabase) => database.query<{ one: number }>("select 1 as one");

/** It is found again by those who ask. */
async function comesBack(database: FleetDatabase): Promise<void> {
  await expect.poll(() => one(database).catch(() => undefined)).toEqual([{ one: 1 }]);
  expect(database.isAnswering).toBe(true);
}

/** It has been found to be away: nobody waits for it any more. */
async function failsAtOnce(database: FleetDatabase): Promise<void> {
  await expect.poll(() => database.isAnswering).toBe(false);
  const { error, ms } = await failureOf(one(database));
  expect(error).toMatchObject({ code: "fleet-unavailable", facts: { isUnreachable: true } });
  expect((error as { facts: object }).facts).toHaveProperty("unsentForMs");
  expect(ms).toBeLessThan(250);
}

describe("values", () => {
  test("come back as they went in, and large numbers as numbers", async () => {
    const database = await opened(await server.current.createDatabase());
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const [row] = await database.query(
      `select $1::text as text, $2::bigint as large, $3::bytea as bytes, $4::jsonb as json, sum($2::bigint) as sum,
         to_timestamp($5::float8 / 1000) as at, $6::boolean as yes, $7::text as nothing`,
      ['a"b\\ü', 2 ** 43 + 1, bytes, '{"a":[1]}', 1_795_000_000_123, true, null],
    );
    expect(row).toEqual({
      ...{ text: 'a"b\\ü', large: 2 ** 43 + 1, bytes: Buffer.from(bytes), json: { a: [1] }, yes: true },
      ...{ sum: 2 ** 43 + 1, at: new Date(1_795_000_000_123), nothing: null },
    });
    const texts = ["", "a,b", '{"x"}', "NULL", "\\", null];
    expect(await database.query("select unnest($1::text[]) as text", [texts])).toEqual(
      texts.map((text) => ({ text })),
    );
    expect(await database.query("select unnest($1::bigint[]) as n", [[]])).toEqual([]);
  });

  test("that no row can hold are the row's fault, and the database goes on answering", async () => {
    const database = await opened(await server.current.createDatabase());
    await database.query("create table t (n integer primary key check (n < 10))");
    for (const value of [1.5, "x", 11, null])
      await expect(database.query("insert into t values ($1)", [value])).rejects.toMatchObject({
        code: "store-damaged",
      });
    await database.query("insert into t values (1)");
    await expect(database.query("insert into t values (1)")).rejects.toMatchObject({ code: "store-damaged" });
    await expect(database.query("select $1::text", ["a\0b"])).rejects.toMatchObject({
      code: "store-damaged",
    });
    await expect(database.query("select nowhere")).rejects.toMatchObject({
      code: "fleet-unavailable",
      facts: { isUnreachable: false },
    });
    expect(database.isAnswering).toBe(true);
  });
});

describe("transactions", () => {
  test("are there whole or not at all, also when a failure in them was passed over", async () => {
    const database = await opened(await server.current.createDatabase());
    await database.query("create table t (n integer primary key)");
    const put = (n: number) => `insert into t values (${n})`;
    const own = new Error("of the caller");
    await expect(
      database.inTransaction(async (query) => {
        await query(put(1));
        throw own;
      }),
    ).rejects.toBe(own);
    await expect(
      database.inTransaction(async (query) => {
        await query(put(2));
        await query("insert into t values ('x')").catch(() => undefined);
      }),
    ).rejects.toMatchObject({ code: "store-damaged" });
    expect(await database.query("select * from t")).toEqual([]);
    const kept = await database.inTransaction(async (query) => {
      await query(put(3));
      await query(put(4));
      return query;
    });
    expect(await database.query("select n from t order by n")).toEqual([{ n: 3 }, { n: 4 }]);
    await expect(kept(put(5))).rejects.toMatchObject({ code: "closed" });
  });

  test("that lock each other out are run again until both are done", async () => {
    const database = await opened(await server.current.createDatabase());
    await database.query("create table t (n integer primary key, sum integer)");
    await database.query("insert into t values (1, 0), (2, 0)");
    const add = (first: number, then: number) =>
      database.inTransaction(async (query) => {
        await query("update t set sum = sum + 1 where n = $1", [first]);
        await query("update t set sum = sum + 1 where n = $1", [then]);
      });
    await Promise.all([1, 2].flatMap(() => [add(1, 2), add(2, 1)]));
    expect(await database.query("select distinct sum from t")).toEqual([{ sum: 4 }]);
  });

  test("use no more than four connections, and the others wait for their turn", async () => {
    const address = await server.current.createDatabase();
    const database = await opened(address);
    const pids = await Promise.all(
      Array.from({ length: 40 }, () => database.query<{ pid: number }>("select pg_backend_pid() as pid")),
    );
    expect(new Set(pids.map(([row]) => row?.pid)).size).toBeLessThanOrEqual(4);
  });
});

describe("a server that", () => {
  test("is stopped is away at once, and used again when it is back", async () => {
    const database = await opened(await server.current.createDatabase());
    const heard: boolean[] = [];
    const stop = database.onAnswering((isAnswering) => heard.push(isAnswering));
    const running = failureOf(database.query("select pg_sleep(60)"));
    await server.current.stop();
    expect((await running).error).toMatchObject({ code: "fleet-unavailable" });
    await failsAtOnce(database);
    await server.current.start();
    await comesBack(database);
    expect(heard).toEqual([false, true]);
    stop();
    await server.current.stop();
    await expect(one(database)).rejects.toMatchObject({ code: "fleet-unavailable" });
    await server.current.start();
    expect(heard).toHaveLength(2);
  });

  test("is killed is away at once, and used again when it is back", async () => {
    const database = await opened(await server.current.createDatabase());
    const running = failureOf(
      database.inTransaction(async (query) => {
        await query("select pg_sleep(60)");
      }),
    );
    await one(database);
    await server.current.kill();
    expect((await running).error).toMatchObject({ code: "fleet-unavailable" });
    await failsAtOnce(database);
    await server.current.start();
    await comesBack(database);
  });

  test("falls silent is waited for once, then not any more, and used again when it speaks", async () => {
    const database = await opened(await server.current.createDatabase(), 700);
    await one(database);
    server.current.freeze();
    onTestFinished(() => server.current.thaw());
    const { error, ms } = await failureOf(one(database));
    expect(error).toMatchObject({ code: "fleet-unavailable" });
    expect(ms).toBeGreaterThan(600);
    expect(ms).toBeLessThan(3_000);
    for (let times = 0; times < 5; times++) await failsAtOnce(database);
    server.current.thaw();
    await comesBack(database);
  });

  test("is away at the start answers later, with its tables made", async () => {
    const address = await server.current.createDatabase();
    await server.current.stop();
    const database = await opened(address);
    await failsAtOnce(database);
    await server.current.start();
    await comesBack(database);
    expect(await database.query("select count(*) as count from leases")).toEqual([{ count: 0 }]);
  });

  test("ends one connection alone is reached by another", async () => {
    const address = await server.current.createDatabase();
    const database = await opened(address);
    const heard: boolean[] = [];
    database.onAnswering((isAnswering) => heard.push(isAnswering));
    const running = failureOf(database.query("select pg_sleep(60)"));
    const others = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    await server.current.ask(address, `select pg_terminate_backend(pid) ${others}`);
    expect((await running).error).toMatchObject({ code: "fleet-unavailable" });
    await comesBack(database);
    expect(heard).toEqual([]);
  });

  test("takes too long for one question alone goes on answering others", async () => {
    const database = await opened(await server.current.createDatabase(), 500);
    const heard: boolean[] = [];
    database.onAnswering((isAnswering) => heard.push(isAnswering));
    await expect(database.query("select pg_sleep(2)")).rejects.toMatchObject({ code: "fleet-unavailable" });
    expect(database.isAnswering).toBe(true);
    await comesBack(database);
    expect(heard).toEqual([]);
  });

  test("takes no changes any more counts as away, though it answers questions", async () => {
    const address = await server.current.createDatabase();
    const database = await opened(address);
    const name = new URL(address).pathname.slice(1);
    const ask = (text: string) => server.current.ask(server.current.address, text);
    await ask(`alter database ${name} set default_transaction_read_only = on`);
    await ask(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
    const write = () => database.query("insert into leaving values ('x')");
    await expect.poll(() => failureOf(write()).then(({ error }) => String(error))).toContain("standby");
    await expect.poll(() => database.isAnswering).toBe(false);
    await ask(`alter database ${name} reset default_transaction_read_only`);
    await comesBack(database);
    await write();
  });

  test("was emptied while it was away gets its tables again", async () => {
    const address = await server.current.createDatabase();
    const database = await opened(address);
    await server.current.ask(address, "drop schema public cascade; create schema public");
    await server.current.stop();
    await expect(one(database)).rejects.toMatchObject({ code: "fleet-unavailable" });
    await server.current.start();
    await comesBack(database);
    expect(await database.query("select count(*) as count from leases")).toEqual([{ count: 0 }]);
  });
});

describe("an address", () => {
  test("and its login are in no message, no log and no cause, whatever is wrong with it", async () => {
    const lines: string[] = [];
    const log = createLog(
      { level: "debug", format: "json" },
      new Writable({
        write: (chunk, _, done) => {
          lines.push(String(chunk));
          done();
        },
      }),
    );
    const told: unknown[] = [];
    const good = await server.current.createDatabase();
    const bad = [
      good.replace(/:[^:@]*@/, ":another%20word@"),
      good.replace("zora-the-owner", "nobody-at-all"),
      `${good}_that_is_not_there`,
      good.replace(`:${server.current.port}/`, ":1/"),
      good.replace("postgres://", "http://"),
      good.replace("@127.0.0.1", "@:::"),
    ];
    for (const address of bad) {
      const { error } = await failureOf(
        openFleetDatabase(address, { log, clock: systemClock }).then(async (database) => {
          onTestFinished(() => database.close());
          await one(database);
        }),
      );
      expect(error).toBeDefined();
      told.push(error);
    }
    expect(told.slice(4)).toMatchObject([{ code: "config-invalid" }, { code: "config-invalid" }]);
    const all = [...lines, ...told.map(everythingOf)].join("\n");
    expect(all).toContain("it refuses the login");
    for (const secret of [...server.current.secrets, "another word", "another%20word", "nobody-at-all"])
      expect(all).not.toContain(secret);
  });

  test("says whether the connection is encrypted, and whether the server has to prove who it is", async () => {
    await server.current.encrypt(serverCert, serverKey);
    const address = await server.current.createDatabase();
    const isEncrypted = async (database: FleetDatabase) =>
      await database.query("select ssl from pg_stat_ssl where pid = pg_backend_pid()");
    expect(await isEncrypted(await opened(`${address}?sslmode=require`))).toEqual([{ ssl: true }]);
    expect(await isEncrypted(await opened(`${address}?sslmode=disable`))).toEqual([{ ssl: false }]);
    const doubting = await opened(`${address}?sslmode=verify-full`);
    const { error } = await failureOf(one(doubting));
    expect(error).toMatchObject({ code: "fleet-unavailable" });
    expect(String(error)).toContain("certificate");
  });

  test("may name several servers, of which the one that can be used is found", async () => {
    const address = await server.current.createDatabase();
    const { port } = server.current;
    const several = address.replace(`:${port}/`, `:1,127.0.0.1:${port}/`);
    const database = await opened(several);
    expect(await one(database)).toEqual([{ one: 1 }]);
    await server.current.stop();
    await failsAtOnce(await opened(several));
    await expect(one(database)).rejects.toMatchObject({ code: "fleet-unavailable" });
    await server.current.start();
    await comesBack(database);
  });

  test("needs the package, and a person is told which", async () => {
    vi.doMock("postgres", () => {
      throw new Error("Cannot find package 'postgres'");
    });
    onTestFinished(() => vi.doUnmock("postgres"));
    const { error } = await failureOf(
      openFleetDatabase(server.current.address, { log: silentLog, clock: systemClock }),
    );
    expect(error).toMatchObject({ code: "config-invalid" });
    expect(String(error)).toContain("npm install postgres");
  });
});

describe.skipIf(!hasPooler)("behind a pooler in transaction mode", () => {
  test("questions and transactions work, though connections of the server change hands", async () => {
    const port = await startPooler(server.current);
    const direct = await server.current.createDatabase();
    const address = server.current.addressOf(new URL(direct).pathname.slice(1), port);
    const nodes = await Promise.all([opened(address), opened(address), opened(address)]);
    const [first] = nodes;
    await first?.query("create table t (n integer primary key)");
    await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        nodes[n % 3]?.inTransaction(async (query) => {
          await query("insert into t values ($1)", [n]);
          await query("select $1::text[] as texts, $2::bytea as bytes", [["a"], Buffer.from("b")]);
        }),
      ),
    );
    expect(await first?.query("select count(*) as count from t")).toEqual([{ count: 60 }]);
    await server.current.stop();
    await expect(nodes[1]?.query("select 1 as one")).rejects.toMatchObject({ code: "fleet-unavailable" });
    await server.current.start();
    for (const node of nodes) await comesBack(node);
  });
});

test("what was closed says so, however often it is closed", async () => {
  const database = await opened(await server.current.createDatabase());
  const running = failureOf(database.query("select pg_sleep(60)"));
  await database.close();
  await database.close();
  expect((await running).error).toMatchObject({ code: "closed" });
  await expect(one(database)).rejects.toMatchObject({ code: "closed" });
  await expect(database.inTransaction(async () => 1)).rejects.toMatchObject({ code: "closed" });
});
