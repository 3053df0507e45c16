/** Shows that a client which sends requests ahead of its answers gets them one after the other, and takes nothing from anybody else. */
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { SentAhead } from "../../../src/http/connections/sent-ahead.ts";
import { Turns } from "../../../src/http/connections/turns.ts";
import { startFakeRegistry } from "../../support/fake-registry.ts";
import { patternBytes } from "../../support/pattern.ts";
import { type MemoryServer, serveMemory } from "../../support/serve-memory.ts";
import { startServing } from "../../support/serving.ts";
import { tempDirectory } from "../../support/temp-directory.ts";
import { openSocket, until } from "../../support/wire.ts";

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

describe("requests that are sent ahead", () => {
  let server: MemoryServer;
  beforeEach(async () => {
    server = await serveMemory();
  });
  afterEach(async () => {
    await server.close();
    expect([server.mirror.pins, server.mirror.readers]).toEqual([0, 0]);
  });

  /** All that comes for `text`, which asks for the close of the connection in the end. */
  async function exchange(text: string): Promise<string> {
    const socket = await openSocket(server.hub);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.write(text + get("/v2/").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    await new Promise((resolve) => socket.once("close", resolve));
    return Buffer.concat(chunks).toString("latin1");
  }

  test("are answered in their order, and only one of them at a time", async () => {
    let [atOnce, most] = [0, 0];
    const hook = async () => {
      most = Math.max(most, ++atOnce);
      await new Promise((resolve) => setImmediate(resolve));
      atOnce--;
    };
    const paths = Array.from({ length: 1_500 }, (_, index) => {
      const digest = server.mirror.addBlob(Buffer.from(`blob ${index % 50}\n`), { hook });
      return `/v2/library/alpine/blobs/${digest}`;
    });
    const answers = await exchange(paths.map(get).join(""));
    const bodies = answers.match(/^blob \d+$/gm);
    expect(bodies).toEqual(paths.map((_, index) => `blob ${index % 50}`));
    expect(most).toBe(1);
  });

  test("wait behind a body, whatever its size, and are read when it is done", async () => {
    const body = "x".repeat(200_000);
    const post = `POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const continued = post.replace("Host: x", "Host: x\r\nExpect: 100-continue");
    const chunked = `PUT /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${"400\r\n"}${"y".repeat(1024)}\r\n0\r\n\r\n`;
    const answers = await exchange((post + get("/v2/") + continued + chunked).repeat(5));
    const statuses = ["405", "200", "100", "405", "405"];
    expect(answers.match(/(?<=HTTP\/1\.1 )\d+/g)).toEqual([
      ...[1, 2, 3, 4, 5].flatMap(() => statuses),
      "200",
    ]);
  });

  test("with a tunnel among them never get words of ours into a blob", async () => {
    const blob = patternBytes(1, 0, 300_000);
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const digest = server.mirror.addBlob(blob, { hook: () => gate });
    const socket = await openSocket(server.hub);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", () => undefined);
    socket.write(`${get(`/v2/library/alpine/blobs/${digest}`)}CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n`);
    await until(() => server.mirror.readers === 1 || socket.destroyed);
    go();
    await until(() => socket.destroyed);
    expect(Buffer.concat(chunks).includes("405")).toBe(false);
  });
});

test("requests ahead of more connections than there is memory for end those that come last, and no other", async () => {
  const ended: Socket[] = [];
  const server: Server = createServer();
  const budget = new SentAhead(400_000);
  const turns = new Turns(
    { answer: () => undefined, silenceMs: 60_000, onFlood: (socket) => ended.push(socket) },
    budget,
  );
  turns.keep(server, "connection");
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const sockets = await Promise.all(Array.from({ length: 12 }, () => openSocket(port)));
  for (const socket of sockets) {
    socket.on("error", () => undefined).resume();
    socket.write(get("/").repeat(3_000));
  }
  await until(() => ended.length > 0 && sockets.filter(({ destroyed }) => destroyed).length === ended.length);
  expect(ended.length).toBeLessThan(12);
  server.closeAllConnections();
  await until(() => budget.left === 400_000);
});

describe("a flood of requests ahead", () => {
  const SMALL_HEAP = ["--max-old-space-size=80", "--max-semi-space-size=8"];

  test("from 120 connections that read nothing leaves the process alive, and others are served", async () => {
    const fake = await startFakeRegistry({ mode: "plain" });
    onTestFinished(() => fake.close());
    const { layerDigests } = fake.addImage("org/app", "1", { layers: [3_000_000] });
    const directory = await tempDirectory();
    const enter = ([node = "", ...args]: readonly string[]): readonly [string, ...string[]] => [
      node,
      ...SMALL_HEAP,
      ...args,
    ];
    const serving = await startServing({ fake, directory, enter });
    const blob = `/v2/org/app/blobs/${layerDigests[0]}`;
    expect((await serving.get(blob)).body.byteLength).toBe(3_000_000);
    const asked = [get("/v2/"), get(blob), get("/v2/org/app/manifests/1"), "GET /v2/ HTTP/1.1\r\n\r\n"];
    const flood = await Promise.all(Array.from({ length: 120 }, () => openSocket(serving.port)));
    flood.forEach((socket, index) => {
      const request = asked[index % asked.length] ?? "";
      socket.on("error", () => undefined);
      socket.pause();
      socket.write(request.repeat(2_000_000 / request.length));
    });

    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all([
        serving.get(blob),
        serving.get("/v2/org/app/manifests/1"),
        serving.get("/readyz"),
      ]);
      expect(answers.map(({ status, isComplete }) => [status, isComplete])).toEqual(
        [200, 200, 200].map((status) => [status, true]),
      );
    }
    expect(serving.child.exitCode).toBeNull();
    for (const socket of flood) socket.destroy();
  });
});
