/** Who has asked: each client from its first request on, also where that is refused, and without addresses where none may be kept. */
import { describe, expect, onTestFinished, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import type { AdminParts } from "../../src/http/admin/admin-parts.ts";
import { createAdminApp } from "../../src/http/admin/app.ts";
import { silentLog } from "../../src/observe/log.ts";
import { Clients, fewOf } from "../../src/records/clients.ts";
import { openRecords, type Records } from "../../src/records/records.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { eventually } from "../support/patience.ts";
import { imageOf, recordsWorld } from "../support/records-world.ts";
import { serveMemory } from "../support/serve-memory.ts";
import { ask } from "../support/wire.ts";

const DAY_MS = 86_400_000;
const DOCKER = "docker/28.0.1 go/go1.23.6 kernel/6.8.0 os/linux arch/amd64";

async function world(clientsMs = 30 * DAY_MS) {
  const clock = new FakeClock();
  const records = openRecords({ clock, settings: { keepMs: 730 * DAY_MS, clientsMs } });
  const server = await serveMemory({ records });
  onTestFinished(() => server.close());
  return { clock, records, server };
}

/** As the API lists them. */
async function listed(records: Records, query = "") {
  const app = createAdminApp({ records, log: silentLog } as AdminParts);
  const answer = await app.request(`/api/v1/clients${query}`);
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { items: Record<string, unknown>[] }).items;
}

describe("a client is seen by its first request", () => {
  test.each([
    ["a look whether this is a registry", "GET", "/v2/", "none"],
    ["a HEAD of something that is not there", "HEAD", "/v2/library/alpine/manifests/3", "absent"],
    ["a name that no registry has", "GET", "/v2/library/alpine/manifests/%20", "refused"],
    ["a push, which is refused", "PUT", "/v2/library/alpine/manifests/3", "refused"],
  ])("%s", async (_, method, target, outcome) => {
    const { records, server } = await world();
    await ask(server.hub, target, { method, headers: { "user-agent": DOCKER } });
    await eventually(async () =>
      expect(await listed(records)).toMatchObject([
        { client: "127.0.0.1", agent: "docker", requests: 1, outcome, pulls: 0 },
      ]),
    );
  });

  test("and how its last request went, without the name of what it asked for", async () => {
    const { records, server } = await world();
    server.mirror.failure = new GranaryError(
      "upstream-unavailable",
      "https://me:secret@docker.io/v2/corp/hidden gives no answer.",
      { reason: "docker.io gives no answer" },
    );
    await ask(server.hub, "/v2/corp/hidden/manifests/3", { headers: { "user-agent": DOCKER } });
    await eventually(async () => {
      const [seen] = await listed(records);
      expect(seen).toMatchObject({ outcome: "error", upstream: "docker.io", served: expect.any(Number) });
      expect(seen?.served).toBeGreaterThan(0);
      expect(seen?.reason).toBe("docker.io gives no answer");
      expect(JSON.stringify(seen)).not.toMatch(/secret|hidden/);
    });
    server.mirror.failure = undefined;
    await ask(server.hub, "/v2/", { headers: { "user-agent": DOCKER } });
    await eventually(async () => expect((await listed(records))[0]).not.toHaveProperty("reason"));
  });

  test("and probes of /healthz, /readyz and /metrics are no clients", async () => {
    const { records, server } = await world();
    for (const page of ["/healthz", "/readyz", "/metrics"]) await ask(server.hub, page);
    expect(await listed(records)).toEqual([]);
  });
});

test("two programs on one machine are two, and the parts that Ollama asks for without its name are its own", async () => {
  const { records, server } = await world();
  const as = (agent: string) => ask(server.hub, "/v2/", { headers: { "user-agent": agent } });
  await as(DOCKER);
  await as("ollama/0.6.2 (amd64 linux) Go/go1.24.0");
  await as("Go-http-client/1.1");
  const seen = await listed(records);
  expect(seen.map(({ agent, requests }) => [agent, requests]).sort()).toEqual([
    ["docker", 1],
    ["ollama", 2],
  ]);
});

test("where addresses are not kept a client is seen all the same, without its address", async () => {
  const { records, server } = await world(0);
  await ask(server.hub, "/v2/", { headers: { "user-agent": DOCKER } });
  const [seen] = await listed(records);
  expect(seen).toMatchObject({ agent: "docker", requests: 1 });
  expect(seen).not.toHaveProperty("client");
});

test("the pulls that go on are counted with their client", async () => {
  const { records } = await recordsWorld();
  const image = imageOf("alpine", [10, 500]);
  records.clients.asks("192.0.2.1", DOCKER);
  records.clients.asks("192.0.2.2", DOCKER);
  const record = records.open({
    ...{ client: "192.0.2.1", userAgent: DOCKER, upstream: "docker.io", repository: "library/alpine" },
    ...{ reference: { tag: "3" }, kind: "manifest", isHead: false },
  });
  record.found(image);
  const pulls = new Map(records.clients.all.map(({ client, pulls }) => [client, pulls]));
  expect(pulls).toEqual(
    new Map([
      ["192.0.2.1", 1],
      ["192.0.2.2", 0],
    ]),
  );
});

describe("however many there are", () => {
  const parts = { keepsClients: () => true, keptMs: () => DAY_MS, running: () => [] };

  test("only so many are remembered, and a snapshot has the newest of them and those that asked last", async () => {
    const clock = new FakeClock();
    const clients = new Clients({ clock, ...parts });
    for (let n = 0; n < 5_000; n++) {
      clients.asks(`2001:db8::${n.toString(16)}`, DOCKER);
      await clock.advance(1);
    }
    expect(clients.all).toHaveLength(2_000);
    // All of them ask again, and one that is new was first.
    clients.asks("192.0.2.9", DOCKER);
    await clock.advance(1);
    for (const { client } of clients.all.slice(1, 500)) clients.asks(client, DOCKER);
    const few = fewOf(clients.all, 40);
    expect(few).toHaveLength(40);
    expect(few.some(({ client }) => client === "192.0.2.9")).toBe(true);
    expect(JSON.stringify(few).length).toBeLessThan(10_000);
  });

  test("who was not here for longer than addresses are kept is not told of", async () => {
    const clock = new FakeClock();
    const clients = new Clients({ clock, ...parts });
    clients.asks("192.0.2.1", DOCKER);
    await clock.advance(DAY_MS + 1);
    clients.asks("192.0.2.2", DOCKER);
    expect(clients.all.map(({ client }) => client)).toEqual(["192.0.2.2"]);
  });

  test("the list is paged, sorted and searched", async () => {
    const clock = new FakeClock();
    const records = openRecords({ clock });
    for (const n of [1, 2, 3]) {
      const seen = records.clients.asks(`192.0.2.${n}`, n === 2 ? "containerd/v2.0" : DOCKER);
      seen.served = n === 1 ? 500 : n;
      await clock.advance(10);
    }
    const names = async (query: string) => (await listed(records, query)).map(({ client }) => client);
    expect(await names("?limit=2")).toEqual(["192.0.2.3", "192.0.2.2"]);
    expect(await names("?limit=2&after=2")).toEqual(["192.0.2.1"]);
    expect(await names("?sort=served&limit=1")).toEqual(["192.0.2.1"]);
    expect(await names("?search=containerd")).toEqual(["192.0.2.2"]);
  });
});
