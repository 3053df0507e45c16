/**
 * Shows that any node tells the events and the traffic of its whole fleet, with the node's name at each, and names every node that did not answer.
 * The other nodes are asked over real internal listeners.
 */
import { expect, test } from "vitest";
import { createAdminApp } from "../../../src/http/admin/app.ts";
import { eventsSchema } from "../../../src/http/admin/routes/past-event-routes.ts";
import { trafficSchema } from "../../../src/http/admin/routes/traffic-routes.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { openRecords } from "../../../src/records/records.ts";
import { fleetFace } from "../../support/fleet-face.ts";
import { unreachable } from "./admin-world.ts";

const TOKEN_WORDS = /secret|authorization|Granary-Fleet/i;

async function world() {
  const face = await fleetFace();
  const get = async (path: string) => {
    const { status, text } = await face.ask(`/api/v1/${path}`);
    expect(status, text).toBe(200);
    expect(text).not.toMatch(TOKEN_WORDS);
    return JSON.parse(text) as unknown;
  };
  return {
    ...face,
    events: async (query: string) => eventsSchema.parse(await get(`events/past?${query}`)),
    traffic: async (query: string) => trafficSchema.parse(await get(`traffic?${query}`)),
  };
}

type World = Awaited<ReturnType<typeof world>>;

const told = ({ items }: Awaited<ReturnType<World["events"]>>) =>
  items.map(({ node, text }) => `${node}: ${text}`);

/** One event at each node, a moment apart. */
function tellOne({ records }: World) {
  records.a.events.tell("evicted", "one", { client: "192.0.2.1" });
  records.b.events.tell("removed", "two", { upstream: "docker.io" });
  records.c.events.tell("evicted", "three");
}

test("events of all nodes are one list with the node's name at each, of one node they are its own", async () => {
  const it = await world();
  tellOne(it);
  const all = await it.events("fleet=true");
  expect(told(all).sort()).toEqual(["a: one", "b: two", "c: three"]);
  expect(all.items.find(({ node }) => node === "a")?.facts).toEqual({ client: "192.0.2.1" });
  expect(all.fleet).toMatchObject({ node: "a", nodes: ["a", "b", "c"], missing: [] });
  expect(all.fleet?.seenAt).toBeGreaterThan(0);
  expect(told(await it.events("node=b"))).toEqual(["b: two"]);
  expect(told(await it.events("fleet=1&kind=evicted")).sort()).toEqual(["a: one", "c: three"]);
  // Who does not ask for the fleet is told as before.
  const own = await it.events("");
  expect(own.fleet).toBeUndefined();
  expect(own.items).toMatchObject([{ text: "one" }]);
  expect(own.items[0]?.node).toBeUndefined();
});

test("pages of it follow each other, and what comes later is told once", async () => {
  const it = await world();
  for (let each = 0; each < 4; each += 1) tellOne(it);
  const pages: string[] = [];
  for (let query = ""; ; ) {
    const page = await it.events(`fleet=true&limit=5${query}`);
    pages.push(...page.items.map(({ node, id }) => `${node}${id}`));
    if (page.next === undefined) break;
    query = `&after=${encodeURIComponent(page.next)}`;
  }
  expect(pages).toHaveLength(12);
  expect(new Set(pages).size).toBe(12);

  const seen = (await it.events("fleet=true&limit=1")).fleet?.seen ?? "";
  it.records.b.events.tell("job-begun", "later at b");
  it.records.a.events.tell("job-begun", "later at a");
  const after = async (since: string) => await it.events(`fleet=true&since=${encodeURIComponent(since)}`);
  const news = await after(seen);
  expect(told(news).sort()).toEqual(["a: later at a", "b: later at b"]);
  expect(told(await after(news.fleet?.seen ?? ""))).toEqual([]);
});

test("a node that was missing begins with its last minute when it is back", async () => {
  const it = await world();
  it.otherAnswers.set("b", async () => undefined);
  const { fleet } = await it.events("fleet=true");
  expect(fleet).toMatchObject({ seen: "a:0,c:0", missing: [{ node: "b" }] });
  it.records.b.events.tell("removed", "meanwhile");
  it.otherAnswers.delete("b");
  expect(told(await it.events("fleet=true&since=a:0,c:0"))).toEqual(["b: meanwhile"]);
  // Who follows that node alone has not seen anything yet.
  expect(told(await it.events("node=b&since="))).toEqual(["b: meanwhile"]);
});

test("traffic is added up over the nodes, each row says whose it is, and nodes are rows too", async () => {
  const it = await world();
  const { a, b, c } = it.records;
  a.traffic.fetched("docker.io", "library/alpine", 100);
  b.traffic.fetched("docker.io", "library/alpine", 20);
  c.traffic.fetched("ghcr.io", "org/app", 3);
  const byRepository = await it.traffic("fleet=true&by=repository&sort=fetched");
  expect(byRepository.items).toMatchObject([
    { name: "docker.io/library/alpine", fetched: 120, saved: -120, nodes: ["a", "b"] },
    { name: "ghcr.io/org/app", fetched: 3, nodes: ["c"] },
  ]);
  expect(byRepository).toMatchObject({ today: { fetched: 123 }, all: { fetched: 123, saved: -123 } });
  expect(byRepository.fleet).toMatchObject({ node: "a", nodes: ["a", "b", "c"], missing: [] });
  const byNode = await it.traffic("by=node&sort=fetched&upstream=docker.io");
  expect(byNode.items.map(({ name, fetched }) => [name, fetched])).toEqual([
    ["a", 100],
    ["b", 20],
    ["c", 0],
  ]);
  const days = await it.traffic("fleet=true&by=day&days=3&empty=true");
  expect(days.items).toHaveLength(3);
  expect(days.items[0]).toMatchObject({ fetched: 123, nodes: ["a", "b", "c"] });
  expect(await it.traffic("node=c&by=upstream")).toMatchObject({
    items: [{ name: "ghcr.io", fetched: 3 }],
    all: { fetched: 3 },
  });
  expect((await it.traffic("fleet=true&by=upstream&search=ghcr")).items).toHaveLength(1);
  expect(await it.traffic("by=upstream")).toMatchObject({ items: [{ name: "docker.io", fetched: 100 }] });
});

test("a node that is silent, or answers what cannot be read, is named and never passed over", async () => {
  const it = await world();
  tellOne(it);
  const never = Promise.withResolvers<undefined>();
  it.otherAnswers.set("b", () => never.promise);
  const { fleet, ...rest } = await it.events("fleet=true");
  expect(told({ ...rest }).sort()).toEqual(["a: one", "c: three"]);
  expect(fleet?.missing).toMatchObject([{ node: "b", reason: expect.stringContaining("within a second") }]);
  never.resolve(undefined);

  const large = { items: [{ text: "x".repeat(2 ** 23) }] };
  const answers = [
    async () => ({ odd: true }),
    async () => large,
    async () => Promise.reject(new Error("x")),
  ];
  for (const answer of answers) {
    it.otherAnswers.set("b", answer);
    expect((await it.events("fleet=true")).fleet?.missing).toMatchObject([{ node: "b" }]);
    expect((await it.traffic("by=node")).fleet?.missing).toMatchObject([{ node: "b" }]);
  }
  await it.listeners.c.close();
  const last = await it.traffic("fleet=true");
  expect(last.fleet?.missing.map(({ node }) => node)).toEqual(["b", "c"]);
});

test("a node that is gone is named and not asked, and without the database a node tells what it can", async () => {
  const it = await world();
  tellOne(it);
  await it.events("fleet=true");
  it.shared.cuts.add("b");
  const missing = async () => (await it.events("fleet=true")).fleet?.missing;
  await expect
    .poll(missing)
    .toMatchObject([{ node: "b", reason: "Node b is gone: its heartbeat has ended." }]);
  it.shared.database.away = true;
  const away = await it.events("fleet=true");
  expect(told(away).sort()).toEqual(["a: one", "c: three"]);
});

test.each([
  ["events/past?node=x", 404, "There is no node x in this fleet"],
  ["traffic?node=x", 404, "There is no node x in this fleet"],
  ["events/past?fleet=true&after=7", 400, "after: expected what an earlier answer gave"],
  ["events/past?fleet=true&since=a", 400, "since: expected what an earlier answer gave"],
  ["events/past?since=a:7", 400, "since: expected what an earlier answer gave"],
  ["events/past?fleet=perhaps", 400, "fleet"],
])("%s is refused", async (path, status, sentence) => {
  const { ask } = await fleetFace();
  const answer = await ask(`/api/v1/${path}`);
  expect(answer.status).toBe(status);
  expect(answer.text).toContain(sentence);
});

test("a Granary that is alone tells its own, and says that it is alone where a node is meant", async () => {
  const records = openRecords({ clock: systemClock });
  records.events.tell("evicted", "one");
  const { parts } = unreachable();
  const app = createAdminApp(
    Object.create(parts, { records: { value: records }, fleetRecords: { value: undefined } }),
  );
  const json = async (path: string) => await (await app.request(`/api/v1/${path}`)).json();
  const { items, fleet } = eventsSchema.parse(await json("events/past?fleet=true"));
  expect([items.length, items[0]?.node, fleet]).toEqual([1, undefined, undefined]);
  expect(trafficSchema.parse(await json("traffic?fleet=true")).fleet).toBeUndefined();
  for (const path of ["events/past?node=a", "traffic?node=a", "traffic?by=node"])
    expect(await json(path)).toMatchObject({
      error: { code: "not-found", message: expect.stringContaining("no node of a fleet") },
    });
});
