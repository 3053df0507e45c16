/** Shows the stream of events as a browser gets it: snapshots while somebody listens, events as they happen, and what was missed. */
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { AdminParts } from "../../../src/http/admin/admin-parts.ts";
import { createAdminApp } from "../../../src/http/admin/app.ts";
import { EventQueue } from "../../../src/http/admin/event-queue.ts";
import { Snapshots } from "../../../src/http/admin/snapshots.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { Events } from "../../../src/records/events.ts";
import { openRecords } from "../../../src/records/records.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { eventually } from "../../support/patience.ts";
import { startAdmin } from "./admin-world.ts";

/** Parts that count how often they are asked for a status. */
function partsOf(records = openRecords({ clock: systemClock })) {
  const counts = { asked: 0 };
  const status = async () => {
    counts.asked += 1;
    return {
      fills: [],
      pins: 0,
      upstreams: [],
      disk: { used: 1, budget: 2, free: 3 },
      blobs: counts.asked,
      manifests: 0,
      troubles: [],
    };
  };
  const parts = { mirror: { status, verify: () => Promise.reject(new Error("not asked")) } };
  return {
    records,
    counts,
    parts: { ...parts, records, clock: systemClock, startedAt: 0 } as unknown as AdminParts,
  };
}

/** A listener as plain bytes: what it has got so far, and its end. */
async function listen(port: number, target = "/api/v1/events", headers: readonly string[] = []) {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let text = "";
  let isClosed = false;
  socket.on("data", (chunk) => (text += chunk.toString()));
  socket.on("close", () => (isClosed = true));
  socket.write(
    `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n`,
  );
  await eventually(() => expect(text).toContain("\r\n\r\n"));
  return { text: () => text, isClosed: () => isClosed, socket };
}

test("a snapshot comes each second while somebody listens, and none is taken while nobody does", async () => {
  const { parts, counts } = partsOf();
  const admin = await startAdmin({ parts });
  expect(counts.asked).toBe(0);
  const listener = await listen(admin.port);
  await eventually(() => expect(listener.text()).toMatch(/event: snapshot\ndata: \{.*"blobs":2/s));
  expect(listener.text()).toContain("content-type: text/event-stream");
  listener.socket.destroy();
  await eventually(async () => {
    const before = counts.asked;
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(counts.asked).toBe(before);
  });
});

test("one snapshot serves all listeners, and who comes later does not wait for the second", async () => {
  const clock = new FakeClock();
  let taken = 0;
  const snapshots = new Snapshots(async () => ++taken, clock);
  const heard: string[][] = [[], []];
  const leave = snapshots.subscribe((json) => heard[0]?.push(json));
  await settle();
  const leaveToo = snapshots.subscribe((json) => heard[1]?.push(json));
  await settle();
  expect(heard).toEqual([["1", "2"], ["2"]]);
  await clock.advance(3_000);
  expect(heard).toEqual([
    ["1", "2", "3", "4", "5"],
    ["2", "3", "4", "5"],
  ]);
  leave();
  leaveToo();
  await clock.advance(10_000);
  expect([taken, clock.timers]).toEqual([5, 0]);
});

test("a snapshot that fails is left out, and the next one comes", async () => {
  const clock = new FakeClock();
  let tries = 0;
  const snapshots = new Snapshots(async () => {
    tries += 1;
    if (tries < 3) throw new Error("the disk is away");
    return tries;
  }, clock);
  const heard: string[] = [];
  const leave = snapshots.subscribe((json) => heard.push(json));
  await clock.advance(2_000);
  leave();
  expect(heard).toEqual(["3"]);
});

test("each event comes as it happens, on one line, and who comes again gets what was missed", async () => {
  const { parts, records } = partsOf();
  const admin = await startAdmin({ parts });
  const first = await listen(admin.port, "/api/v1/events?snapshots=false");
  await eventually(() => expect(first.text()).toContain("retry: 2000"));
  records.events.tell("tag-moved", "alpine:3 moved\nto another digest.", { upstream: "docker.io" });
  await eventually(() =>
    expect(first.text()).toMatch(/id: 1\nevent: event\ndata: \{[^\n]*"kind":"tag-moved"[^\n]*\}\n\n/),
  );
  first.socket.destroy();
  for (let count = 0; count < 3; count++) records.events.tell("evicted", `Evicted ${count}.`);
  const again = await listen(admin.port, "/api/v1/events?snapshots=false", ["Last-Event-ID: 2"]);
  await eventually(() => expect(again.text()).toContain("id: 4\n"));
  expect(again.text()).toContain("id: 3\n");
  expect(again.text()).not.toMatch(/id: [12]\n/);
  const fresh = await listen(admin.port, "/api/v1/events?snapshots=false");
  await eventually(() => expect(fresh.text()).toContain("retry: 2000"));
  expect(fresh.text()).not.toContain("id: ");
  const broken = await listen(admin.port, "/api/v1/events?snapshots=false", ["Last-Event-ID: x1"]);
  await eventually(() => expect(broken.text()).toContain("retry: 2000"));
});

test("a listener that does not read holds no more than a thousand events, and is let go", async () => {
  const queue = new EventQueue();
  const events = new Events(systemClock);
  events.subscribe(({ text }) => queue.event(text));
  for (let count = 0; count < 5; count++) queue.snapshot(`snapshot ${count}`);
  events.tell("evicted", "one;");
  expect(await queue.next()).toBe("one;snapshot 4");
  for (let count = 0; count < 1_001; count++) events.tell("evicted", "more");
  expect(await queue.next()).toBeUndefined();
});

test("who has not taken the last of them when a thousand more wait is not waited for", async () => {
  const queue = new EventQueue();
  const taken = queue.sent(new Promise(() => undefined));
  for (let count = 0; count < 1_001; count++) queue.event("more");
  await taken;
  expect(await queue.next()).toBeUndefined();
  await queue.sent(new Promise(() => undefined));
});

test("HEAD makes no listener: it is answered, and nothing is taken for it after that", async () => {
  const { parts, counts } = partsOf();
  const admin = await startAdmin({ parts });
  for (let count = 0; count < 101; count++)
    expect(await admin.ask("/api/v1/events", { method: "HEAD" })).toMatchObject({ status: 200 });
  const listener = await listen(admin.port);
  expect(listener.text()).toContain("200 OK");
  listener.socket.destroy();
  await eventually(async () => {
    const before = counts.asked;
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(counts.asked).toBe(before);
  });
});

test("there is an end to how many may listen", async () => {
  const { parts } = partsOf();
  const admin = await startAdmin({ parts });
  const listeners = await Promise.all(Array.from({ length: 100 }, () => listen(admin.port)));
  expect(await admin.ask("/api/v1/events")).toMatchObject({ status: 429, headers: { "retry-after": "2" } });
  listeners[0]?.socket.destroy();
  await eventually(async () => {
    const next = await listen(admin.port);
    expect(next.text()).toContain("200 OK");
  });
});

test("one address cannot take the places of all others, and hears what to do", async () => {
  const { parts } = partsOf();
  const app = createAdminApp(parts);
  const leave = new AbortController();
  onTestFinished(() => leave.abort());
  const from = async (remoteAddress: string) => {
    const env = { incoming: { socket: { remoteAddress } } } as never;
    return await app.request("http://localhost/api/v1/events", { signal: leave.signal }, env);
  };
  const first = await Promise.all(Array.from({ length: 16 }, () => from("192.0.2.1")));
  expect(first.map(({ status }) => status)).toEqual(first.map(() => 200));
  const refused = await from("::ffff:192.0.2.1");
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "2"]);
  expect(await refused.json()).toMatchObject({
    error: { code: "rate-limited", message: expect.stringContaining("close a page of Granary") },
  });
  expect((await from("192.0.2.2")).status).toBe(200);
  // A network of IPv6 is one client.
  for (let count = 0; count < 16; count++)
    expect((await from(`2001:db8::${count.toString(16)}`)).status).toBe(200);
  expect((await from("2001:db8::ffff")).status).toBe(429);
  expect((await from("127.0.0.1")).status).toBe(200);
  await first[0]?.body?.cancel();
  await eventually(async () => expect((await from("192.0.2.1")).status).toBe(200));
});
