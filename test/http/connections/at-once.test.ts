/**
 * Shows that a request whose bytes came before may be answered without Node's parser, and that nobody can tell by anything but the time: not the
 * client by the bytes, and not who looks at the log, the metrics or the records.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { plainUpstream } from "../../../src/config/defaults.ts";
import { serve } from "../../../src/http/serve.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";
import type { Login } from "../../../src/oci/credentials.ts";
import { openRecords } from "../../../src/records/records.ts";
import { MemoryMirror } from "../../support/memory-mirror.ts";
import { type MemoryServer, serveMemory } from "../../support/serve-memory.ts";
import { openSocket, until } from "../../support/wire.ts";

const DOCKER = "docker/27.3.1 go/go1.22.7 kernel/6.8.0";

let server: MemoryServer;
beforeEach(async () => {
  server = await serveMemory();
  server.mirror.answersAtOnce = true;
});
afterEach(() => server.close());

/** How many requests Node makes objects for, from now on. */
function parsed(): { readonly count: number } {
  const seen = { count: 0 };
  const onStart = () => {
    seen.count += 1;
  };
  subscribe("http.server.request.start", onStart);
  onTestFinished(() => {
    unsubscribe("http.server.request.start", onStart);
  });
  return seen;
}

function requestOf(line: string, headers: readonly string[] = []): string {
  return [`${line} HTTP/1.1`, "Host: granary.lan:5000", `User-Agent: ${DOCKER}`, ...headers, "", ""].join(
    "\r\n",
  );
}

/** One connection on which whole answers are awaited one after the other. */
class Conversation {
  readonly #socket: Socket;
  #text = "";

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString("latin1");
    });
  }

  /** The whole answer, with the date and the age taken out of it. */
  async ask(text: string): Promise<string> {
    this.#text = "";
    this.#socket.write(text, "latin1");
    await until(() => this.#isWhole(text) || this.#socket.destroyed);
    return this.#text.replace(/^(Date|Age): .*\r\n/gm, "$1\r\n");
  }

  close(): void {
    this.#socket.destroy();
  }

  #isWhole(asked: string): boolean {
    const end = this.#text.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const isBodiless = asked.startsWith("HEAD") || this.#text.startsWith("HTTP/1.1 304");
    const length = isBodiless ? 0 : Number(/^Content-Length: (\d+)/m.exec(this.#text)?.[1] ?? 0);
    return this.#text.length >= end + 4 + length;
  }
}

async function converse(port = server.hub): Promise<Conversation> {
  const conversation = new Conversation(await openSocket(port));
  onTestFinished(() => conversation.close());
  return conversation;
}

const MANIFEST = JSON.stringify({ schemaVersion: 2, layers: [] });

const ASKED: readonly (readonly [line: string, headers: readonly string[]])[] = [
  ["GET /v2/", []],
  ["HEAD /v2/", []],
  ["GET /v2/library/alpine/manifests/3", []],
  ["GET /v2/alpine/manifests/3", ["Accept: application/vnd.oci.image.manifest.v1+json"]],
  ["GET /v2/library/alpine/manifests/DIGEST", []],
  ["HEAD /v2/library/alpine/manifests/3", []],
  ["HEAD /v2/library/alpine/manifests/DIGEST?ns=docker.io", []],
  ["GET /v2/library/alpine/manifests/3?ns=docker.io", []],
  ["GET /v2/library/alpine/manifests/3", ['If-None-Match: "DIGEST"']],
  ["HEAD /v2/library/alpine/manifests/3", ['If-None-Match: W/"other", DIGEST']],
];

test.each(ASKED)("%s (%j) has the same bytes when it is answered at once", async (line, headers) => {
  const digest = server.mirror.addManifest("docker.io/library/alpine", ["3"], MANIFEST);
  const text = requestOf(line, headers).replaceAll("DIGEST", digest);
  const seen = parsed();
  const conversation = await converse();
  const first = await conversation.ask(text);
  expect(first).toMatch(/^HTTP\/1\.1 (200 OK|304 Not Modified)\r\n/);
  expect([await conversation.ask(text), await conversation.ask(text)]).toEqual([first, first]);
  expect(seen.count).toBe(1);
});

test("also by Ollama's registry, whose answers have a header more, and with bytes that are no ASCII", async () => {
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, layers: [], note: "größer ✓" }));
  server.mirror.addManifest("registry.ollama.ai/library/qwen", ["7b"], manifest);
  const text = requestOf("GET /v2/library/qwen/manifests/7b");
  const seen = parsed();
  const conversation = await converse(server.ollama);
  const first = await conversation.ask(text);
  expect(first).toContain("Ollama-Content-Digest: ");
  expect(first.endsWith(manifest.toString("latin1"))).toBe(true);
  expect(await conversation.ask(text)).toBe(first);
  expect(seen.count).toBe(1);
});

test("each connection begins with the parser, and a new manifest at the tag is seen at once", async () => {
  server.mirror.addManifest("docker.io/library/alpine", ["3"], MANIFEST);
  const text = requestOf("GET /v2/library/alpine/manifests/3");
  const seen = parsed();
  const one = await converse();
  for (let round = 0; round < 3; round++) await one.ask(text);
  const other = await converse();
  expect(await other.ask(text)).toContain(MANIFEST);
  expect(seen.count).toBe(2);
  const moved = JSON.stringify({ schemaVersion: 2, layers: [], annotations: { is: "new" } });
  server.mirror.addManifest("docker.io/library/alpine", ["3"], moved);
  expect(await other.ask(text)).toContain(moved);
  expect(await one.ask(text)).toContain(moved);
  expect(seen.count).toBe(2);
});

test("what the Mirror does not give at once goes all the way, as before", async () => {
  server.mirror.addManifest("docker.io/library/alpine", ["3"], MANIFEST);
  const text = requestOf("GET /v2/library/alpine/manifests/3");
  const seen = parsed();
  const conversation = await converse();
  const first = await conversation.ask(text);
  server.mirror.answersAtOnce = false;
  expect(await conversation.ask(text)).toBe(first);
  expect(seen.count).toBe(2);
});

test.each([
  ["a login", "Authorization: Basic YTpi"],
  ["another wish for the connection", "Connection: close"],
  ["an upgrade", "Upgrade: h2c"],
  ["an expectation", "Expect: 100-continue"],
  ["a body", "Content-Length: 0"],
])("a request with %s always goes all the way", async (_, header) => {
  server.mirror.addManifest("docker.io/library/alpine", ["3"], MANIFEST);
  const text = requestOf("GET /v2/library/alpine/manifests/3", [header]);
  const seen = parsed();
  const plain = requestOf("GET /v2/");
  for (let round = 0; round < 2; round++) {
    const conversation = await converse();
    await conversation.ask(plain);
    expect(await conversation.ask(text)).toContain(MANIFEST);
  }
  expect(seen.count).toBe(header === "Content-Length: 0" ? 3 : 4);
});

test("a manifest that is too large for one write goes all the way", async () => {
  const large = JSON.stringify({ schemaVersion: 2, layers: [], note: "x".repeat(20_000) });
  server.mirror.addManifest("docker.io/library/alpine", ["3"], large);
  const text = requestOf("GET /v2/library/alpine/manifests/3");
  const seen = parsed();
  const conversation = await converse();
  const first = await conversation.ask(text);
  expect(first.endsWith(large)).toBe(true);
  expect(await conversation.ask(text)).toBe(first);
  expect(seen.count).toBe(2);
});

test("requests that come in halves or together are answered in their order, by the parser", async () => {
  server.mirror.addManifest("docker.io/library/alpine", ["3"], MANIFEST);
  const text = requestOf("GET /v2/library/alpine/manifests/3");
  const last = requestOf("GET /v2/", ["Connection: close"]);
  const socket = await openSocket(server.hub);
  let got = "";
  socket.on("data", (chunk: Buffer) => {
    got += chunk.toString("latin1");
  });
  const answers = (count: number) => until(() => got.split(MANIFEST).length === count + 1);
  for (let round = 1; round <= 2; round++) {
    socket.write(text);
    await answers(round);
  }
  socket.write(text.slice(0, 20));
  await new Promise((resolve) => socket.write("", resolve));
  socket.write(text.slice(20));
  await answers(3);
  socket.write(text + text + text);
  await answers(6);
  socket.write(text + last);
  await new Promise((resolve) => socket.once("close", resolve));
  expect(got.match(/HTTP\/1\.1 \d+/g)).toEqual(Array.from({ length: 8 }, () => "HTTP/1.1 200"));
  expect(got.endsWith("{}")).toBe(true);
});

test("a login that the settings ask for from now on is asked for on connections that are open", async () => {
  const mirror = new MemoryMirror();
  mirror.answersAtOnce = true;
  mirror.addManifest("docker.io/library/alpine", ["3"], MANIFEST);
  const settings = (login?: Login) => ({
    listeners: [{ port: 0, host: "127.0.0.1", upstream: "docker.io", login, tls: undefined }],
    upstreams: [plainUpstream("docker.io")],
    drainMs: 0,
  });
  const observers = { log: silentLog, metrics: createMetrics(), clock: systemClock };
  const serving = await serve(settings(), mirror, observers);
  onTestFinished(() => serving.close());
  const conversation = await converse(serving.listeners[0]?.port);
  const text = requestOf("GET /v2/library/alpine/manifests/3");
  for (let round = 0; round < 2; round++) expect(await conversation.ask(text)).toContain(MANIFEST);
  const change = await serving.reloadPart.prepare(settings({ username: "a", password: "b" }), false);
  change.apply();
  expect(await conversation.ask(text)).toContain("HTTP/1.1 401");
});

test("the log, the metrics and the records have each of them", async () => {
  const rounds = 5;
  const told = [];
  for (const answersAtOnce of [false, true]) {
    const records = openRecords({ clock: systemClock });
    await using other = await serveMemory({ records });
    other.mirror.answersAtOnce = answersAtOnce;
    const digest = other.mirror.addManifest("docker.io/library/alpine", ["3"], MANIFEST);
    const seen = parsed();
    for (const [line, headers] of ASKED) {
      const conversation = await converse(other.hub);
      const text = requestOf(line, headers).replaceAll("DIGEST", digest);
      for (let round = 0; round < rounds; round++) await conversation.ask(text);
      conversation.close();
    }
    const all = ASKED.length * rounds;
    const lines = () => other.lines.filter(({ msg }) => msg === "request");
    await until(() => lines().length === all);
    // The base endpoint needs no Mirror.
    expect(seen.count).toBe(answersAtOnce ? ASKED.length : all - 2 * (rounds - 1));
    const { metrics } = other;
    const counters = await Promise.all([metrics.requests.get(), metrics.clientBytes.get()]);
    told.push({
      lines: lines().map(({ time: _time, ms: _ms, ...line }) => line),
      counters: counters.map(({ values }) => values),
      clients: records.clients.all.map(({ firstAt: _first, lastAt: _last, ...client }) => client),
      pulls: records.pulls.running.map(({ begunAt: _at, tookMs: _ms, ...pull }) => pull),
      traffic: records.traffic.totals().today,
    });
  }
  expect(told[1]).toEqual(told[0]);
});
