/**
 * Shows what becomes of a running server whose settings change: pulls in flight, ports, logins, budgets and limits. Real listeners and files,
 * in this process, because it counts what stays behind.
 */
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { settingsReader, settingsReload } from "../../src/cli/reload-settings.ts";
import { serve } from "../../src/http/serve.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { openCache } from "../../src/open.ts";
import type { FakeRegistry } from "../support/fake-registry.ts";
import { eventually } from "../support/patience.ts";
import { SlowLine } from "../support/slow-line.ts";
import { startFake } from "../support/start-upstream.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { ask } from "../support/wire.ts";

type Written = {
  readonly listeners?: string;
  /** Further keys of the upstream fake.test, and further upstreams. */
  readonly upstream?: string;
  readonly url?: string;
  readonly others?: string;
  readonly storage?: string;
  readonly more?: string;
};

async function startServer(fake: FakeRegistry, first: Written = {}) {
  const directory = await tempDirectory();
  const file = join(directory, "granary.yaml");
  const write = ({
    listeners = LISTENER,
    upstream = "",
    url = fake.url,
    others = "",
    storage = "",
    more = "",
  }: Written) =>
    writeFile(
      file,
      `listeners: [${listeners}]
storage: { directory: ${join(directory, "data")}, minFree: 0${storage} }
upstreams: { fake.test: { endpoints: ["${url}"], internal: true${upstream} }${others} }
${more}`,
    );
  await write(first);
  const observers = { log: silentLog, metrics: createMetrics(), clock: systemClock };
  const read = settingsReader({ config: file }, {});
  const { settings } = await read();
  const cache = await openCache(settings, observers);
  const serving = await serve(settings, cache, observers, cache.records);
  onTestFinished(async () => {
    await serving.close();
    await cache.close(0);
  });
  const reload = settingsReload(settings, read, [...cache.reloadParts, serving.reloadPart], {
    log: silentLog,
    events: cache.records.events,
  });
  const change = async (next: Written, isTrial = false) => {
    await write(next);
    return await reload.run(isTrial);
  };
  const ports = () => serving.listeners.map(({ port }) => port);
  return { cache, ports, change, get: (path: string, port = ports()[0] ?? 0) => ask(port, path) };
}

const LISTENER = "{ port: 0, host: 127.0.0.1, upstream: fake.test }";
const listenerAt = (port: number, more = "") =>
  `{ port: ${port}, host: 127.0.0.1, upstream: fake.test${more} }`;

/** A port that nobody listens on, and one that somebody does. */
async function portOf(isTaken: boolean): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  if (isTaken) onTestFinished(close);
  else await close();
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

const MiB = 2 ** 20;

test("a pull in flight ends as it began, whatever becomes of its upstream meanwhile", async () => {
  const fake = await startFake({ mode: "plain" });
  const image = fake.addImage("a/b", "1", { layers: [8 * MiB] });
  const [layer = ""] = image.layerDigests;
  const line = new SlowLine({ rate: 8 * MiB });
  onTestFinished(() => line.close());
  const { host, port } = await line.front({ host: "127.0.0.1", port: Number(new URL(fake.url).port) });
  const url = `http://${host}:${port}`;
  const { get, change, cache } = await startServer(fake, { url });
  const pulls = [get(`/v2/a/b/blobs/${layer}`), get(`/v2/a/b/blobs/${layer}`)];
  await eventually(async () => expect((await cache.status()).fills[0]?.present).toBeGreaterThan(0));
  expect(await change({ url, upstream: ", lanes: 2" })).toMatchObject({
    applied: [{ key: "upstreams.fake.test.lanes", change: "changed" }],
    needRestart: [],
  });
  // Another one in its place, and nothing but that one is left of it.
  const other = await startFake({ mode: "plain" });
  other.addImage("a/b", "2", { layers: [10] });
  await change({ url: other.url });
  expect((await get("/v2/a/b/manifests/2")).status).toBe(200);
  for (const answer of await Promise.all(pulls)) {
    expect([answer.status, answer.isComplete, answer.body.length]).toEqual([200, true, 8 * MiB]);
  }
  await eventually(() => expect(fake.connections).toBe(0));
  expect((await cache.status()).upstreams.filter(({ name }) => name === "fake.test")).toHaveLength(1);
});

test("upstreams come and go without a restart", async () => {
  const fake = await startFake({ mode: "plain" });
  fake.addImage("a/b", "1", { layers: [10] });
  const { get, change } = await startServer(fake);
  const path = "/v2/lab.test/a/b/manifests/1";
  expect((await get(path)).status).toBe(404);
  const others = `, lab.test: { endpoints: ["${fake.url}"], internal: true }`;
  expect(await change({ others })).toMatchObject({
    applied: [{ key: "upstreams.lab.test", change: "added" }],
  });
  expect((await get(path)).status).toBe(200);
  expect(await change({})).toMatchObject({ applied: [{ key: "upstreams.lab.test", change: "removed" }] });
  expect((await get(path)).status, "also what is stored of it").toBe(404);
});

test("listeners are opened and closed; bad settings change none of them", async () => {
  const fake = await startFake({ mode: "plain" });
  const [first, second] = [await portOf(false), await portOf(false)];
  const { get, change, ports } = await startServer(fake, { listeners: listenerAt(first) });
  await change({ listeners: `${listenerAt(first)}, ${listenerAt(second)}` });
  expect([(await get("/v2/", first)).status, (await get("/v2/", second)).status]).toEqual([200, 200]);
  const login = ', login: { username: ann, password: "$' + "{PASSWORD}" + '" }';
  await expect(change({ listeners: listenerAt(second, login) })).rejects.toThrow(/PASSWORD is not set/);
  expect(ports()).toEqual([first, second]);
  await change({ listeners: listenerAt(second) });
  expect((await get("/v2/", second)).status).toBe(200);
  await expect(get("/v2/", first)).rejects.toThrow(/ECONNREFUSED/);
});

test("a port changes its address, and its other listeners with it", async () => {
  const fake = await startFake({ mode: "plain" });
  const port = await portOf(false);
  const { get, change } = await startServer(fake, { listeners: `{ port: ${port}, upstream: fake.test }` });
  await change({ listeners: listenerAt(port) });
  expect((await get("/v2/", port)).status).toBe(200);
});

test("a port that cannot be had changes nothing, also not what was ready before it", async () => {
  const fake = await startFake({ mode: "plain" });
  const [own, taken, free] = [await portOf(false), await portOf(true), await portOf(false)];
  const others = `, lab.test: { endpoints: ["${fake.url}"], internal: true }`;
  const { get, change, ports } = await startServer(fake, {
    listeners: `{ port: ${own}, upstream: fake.test }`,
  });
  // The own port would have moved to another address, for which it is closed for a moment.
  const listeners = `${listenerAt(own)}, ${listenerAt(free)}, ${listenerAt(taken)}`;
  for (const isTrial of [true, false]) {
    await expect(change({ listeners, others }, isTrial)).rejects.toThrow(
      `Cannot listen on port ${taken} of 127.0.0.1: another program listens there`,
    );
    expect(ports()).toEqual([own]);
    expect((await get("/v2/", own)).status).toBe(200);
    await expect(get("/v2/", free)).rejects.toThrow(/ECONNREFUSED/);
    expect((await get("/v2/lab.test/a/b/manifests/1")).status).toBe(404);
  }
});

test("a trial says what would be opened and closed, and opens nothing", async () => {
  const fake = await startFake({ mode: "plain" });
  const [first, second] = [await portOf(false), await portOf(false)];
  const { get, change } = await startServer(fake, { listeners: listenerAt(first) });
  expect(await change({ listeners: listenerAt(second) }, true)).toEqual({
    applied: [{ key: "listeners.0", change: "changed" }],
    needRestart: [],
    notes: [
      `listens on 127.0.0.1:${second} for fake.test`,
      `no longer listens on http://127.0.0.1:${first} for fake.test`,
    ],
    problems: [],
  });
  expect((await get("/v2/", first)).status).toBe(200);
  await expect(get("/v2/", second)).rejects.toThrow(/ECONNREFUSED/);
});

test("a smaller budget evicts at once, and limits of clients count for the next connection", async () => {
  const fake = await startFake({ mode: "plain" });
  const image = fake.addImage("a/b", "1", { layers: [2 * MiB, 2 * MiB] });
  const { get, change, cache } = await startServer(fake);
  for (const layer of image.layerDigests) await get(`/v2/a/b/blobs/${layer}`);
  await eventually(async () => expect((await cache.status()).blobs).toBe(2));
  await change({ storage: ", maxSize: 3MiB" });
  await eventually(async () => expect((await cache.status()).blobs).toBe(1));
  expect((await cache.status()).disk.budget).toBe(3 * MiB);
  await change({ storage: ", maxSize: 3MiB", more: "clients: { maxConnectionsPerAddress: 1 }\n" });
  const [one, two] = await Promise.all([get("/v2/"), get("/v2/")]);
  expect([one?.status, two?.status].sort()).toEqual([200, 503]);
});

test("what needs a restart is named, and everything else is taken", async () => {
  const fake = await startFake({ mode: "plain" });
  const { change } = await startServer(fake);
  const report = await change({
    storage: ", maxSize: 5GiB, verifyEvery: never",
    more: "log: { format: json }\ndrain: 1s\n",
  });
  expect(report.applied.map(({ key }) => key)).toEqual(["drain", "storage.maxSize", "storage.verifyEvery"]);
  expect(report.needRestart).toEqual([{ key: "log.format", change: "changed" }]);
});

test("a thousand reloads under load leave nothing behind", async () => {
  const fake = await startFake({ mode: "plain" });
  const image = fake.addImage("a/b", "1", { layers: [64 * 1024] });
  const paths = ["/v2/a/b/manifests/1", ...image.layerDigests.map((digest) => `/v2/a/b/blobs/${digest}`)];
  const { get, change, cache } = await startServer(fake);
  const statuses = new Set<number>();
  let isOver = false;
  const load = async () => {
    while (!isOver) for (const path of paths) statuses.add((await get(path)).status);
  };
  const running = [load(), load()];
  for (let round = 0; round < 1_000; round++) {
    const listeners = round % 100 === 0 ? `${LISTENER}, ${LISTENER}` : LISTENER;
    await change({ listeners, upstream: `, lanes: ${1 + (round % 2)}, tagLifetime: 0s` });
  }
  isOver = true;
  await Promise.all(running);
  await change({});
  expect([...statuses]).toEqual([200]);
  expect((await cache.status()).upstreams).toHaveLength(12);
  await eventually(() => expect(fake.connections).toBe(0));
  const servers = process.getActiveResourcesInfo().filter((name) => name === "TCPServerWrap");
  // The fake's three, and the one listener.
  expect(servers.length).toBeLessThanOrEqual(4);
}, 240_000);
