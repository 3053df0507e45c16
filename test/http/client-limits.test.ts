/** Shows how many connections clients may have, what those beyond hear, and that whoever takes nothing is let go in the end. */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { networkOf } from "../../src/http/client-network.ts";
import { patternBytes } from "../support/pattern.ts";
import { type MemoryServer, serveMemory } from "../support/serve-memory.ts";
import { caPem, serverCert, serverKey } from "../support/throwaway-tls.ts";
import { ask, openSocket, until } from "../support/wire.ts";

const MANY = 1_000;
const limits = { maxConnections: MANY, maxConnectionsPerAddress: MANY, stallMs: 60_000 };

async function serveLimited(clients: Partial<typeof limits>, tls?: { cert: string; key: string }) {
  const server = await serveMemory({ clients: { ...limits, ...clients }, ...(tls && { tls }) });
  onTestFinished(() => server.close());
  return server;
}

/** One more connection to `port` from `address`; what comes over it is in `text`. */
async function from(address: string, port: number): Promise<{ socket: Socket; text: () => string }> {
  const socket = connect({ port, host: "127.0.0.1", localAddress: address });
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  socket.on("error", () => undefined);
  await new Promise((resolve) => socket.once("connect", resolve));
  onTestFinished(() => {
    socket.destroy();
  });
  return { socket, text: () => text };
}

/** The whole answer to one request over a connection of its own, which the server closes. */
async function answerTo(address: string, port: number, path: string): Promise<string> {
  const { socket, text } = await from(address, port);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await new Promise((resolve) => socket.once("close", resolve));
  return text();
}

const troubles = (server: MemoryServer, word: string) =>
  server.lines.filter(({ level, msg }) => level === "warn" && String(msg).includes(word));

describe("a connection too many", () => {
  test("from one address hears when to come back, one line is logged, and status pages stay within reach", async () => {
    const server = await serveLimited({ maxConnectionsPerAddress: 3 });
    const held = await Promise.all([1, 2, 3].map(() => from("127.0.0.1", server.hub)));
    const refused = await answerTo("127.0.0.1", server.hub, "/v2/");
    expect(refused).toMatch(/^HTTP\/1\.1 503 /);
    expect(refused).toMatch(/\r\nRetry-After: 5\r\n/);
    expect(refused).toMatch(/\r\nConnection: close\r\n/);
    expect(refused).toContain("from your address (clients.maxConnectionsPerAddress)");
    // The limit is one for all listeners, and not that of another address.
    expect(await answerTo("127.0.0.1", server.ollama, "/v2/")).toMatch(/^HTTP\/1\.1 503 /);
    expect(await answerTo("127.0.0.1", server.hub, "/readyz")).toMatch(
      /^HTTP\/1\.1 200 .*\r\nConnection: close\r\n/s,
    );
    const other = await from("127.0.0.2", server.hub);
    other.socket.write("GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n");
    await until(() => other.text().startsWith("HTTP/1.1 200 "));
    expect(troubles(server, "maxConnectionsPerAddress")).toMatchObject([{ client: "127.0.0.1", limit: 3 }]);
    for (const { socket } of held) socket.destroy();
    await until(() => held.every(({ socket }) => socket.closed));
    await expect.poll(async () => (await ask(server.hub, "/v2/")).status).toBe(200);
  });

  test("in all hears it too, and those far beyond are closed unread", async () => {
    const server = await serveLimited({ maxConnections: 2 });
    const first = await Promise.all(["127.0.0.1", "127.0.0.2"].map((address) => from(address, server.hub)));
    expect(await answerTo("127.0.0.3", server.hub, "/v2/")).toContain("from all clients");
    const crowd = await Promise.all(Array.from({ length: 60 }, () => from("127.0.0.3", server.hub)));
    await until(() => crowd.filter(({ socket }) => socket.destroyed).length >= 60 - 32);
    for (const { socket, text } of first) {
      socket.write("GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n");
      await until(() => text().startsWith("HTTP/1.1 200 "));
    }
    expect(troubles(server, "maxConnections")).toHaveLength(1);
  });

  test("hears it over TLS as well", async () => {
    const server = await serveLimited({ maxConnections: 1 }, { cert: serverCert, key: serverKey });
    await from("127.0.0.1", server.hub);
    const socket = connectTls({ port: server.hub, host: "127.0.0.1", ca: caPem });
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.write("GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n");
    await new Promise((resolve) => socket.once("close", resolve));
    expect(text).toMatch(/^HTTP\/1\.1 503 /);
    // Those that are closed unread are closed before their handshake.
    const crowd = await Promise.all(Array.from({ length: 40 }, () => from("127.0.0.1", server.hub)));
    await until(() => crowd.some(({ socket: { destroyed } }) => destroyed));
  });
});

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::9", "2001:db8:1:2::/64"],
  [undefined, ""],
])("connections from %s count as those of %s", (address, expected) => {
  expect(networkOf(address)).toBe(expected);
});

describe("a client that takes nothing of what it asked for", () => {
  const big = patternBytes(4, 0, 16 * 2 ** 20);

  test("is not one that has asked for the next thing already, and waits for the registry", async () => {
    const server = await serveLimited({ stallMs: 1_000 });
    const warm = server.mirror.addBlob(big);
    const cold = server.mirror.addBlob(big.subarray(1), { hook: () => new Promise(() => undefined) });
    const request = (digest: string) => `GET /v2/library/alpine/blobs/${digest} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const pipelining = await openSocket(server.hub);
    pipelining.on("error", () => undefined).resume();
    pipelining.write(`${request(cold)}${request(cold)}`);
    await until(() => server.mirror.readers === 1);
    // Its time begins later, so it is the clock of the other one.
    const stalled = await openSocket(server.hub);
    stalled.on("error", () => undefined).pause();
    stalled.write(request(warm));
    await until(() => troubles(server, "reads nothing").length > 0);
    // The line comes before the end of its connection.
    await until(() => server.mirror.readers < 2);
    expect([pipelining.destroyed, pipelining.readableEnded]).toEqual([false, false]);
    expect(server.mirror.readers).toBe(1);
    for (const socket of [pipelining, stalled]) socket.resetAndDestroy();
    await until(() => server.mirror.pins === 0);
  });

  test("is let go in the middle of a body that does not go on, while one that goes on slowly is not", async () => {
    const server = await serveLimited({ stallMs: 1_000 });
    const head = "GET /v2/library/alpine/manifests/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n";
    const [mute, slow] = [await openSocket(server.hub), await openSocket(server.hub)];
    for (const socket of [mute, slow])
      socket
        .on("error", () => undefined)
        .resume()
        .write(head);
    const timer = setInterval(() => slow.write("x"), 100);
    await until(() => mute.destroyed || mute.readableEnded);
    expect([slow.destroyed, slow.readableEnded]).toEqual([false, false]);
    clearInterval(timer);
    slow.resetAndDestroy();
  });

  test("is let go after a time without progress; one that reads slowly or waits for the registry is not (F12)", async () => {
    const server = await serveLimited({ stallMs: 1_000 });
    const warm = server.mirror.addBlob(big);
    const cold = server.mirror.addBlob(big.subarray(1), { hook: () => new Promise(() => undefined) });
    const request = (digest: string) => `GET /v2/library/alpine/blobs/${digest} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const waiting = await openSocket(server.hub);
    waiting.resume().write(request(cold));
    const slow = await openSocket(server.hub);
    let taken = 0;
    slow.on("data", (chunk: Buffer) => {
      taken += chunk.byteLength;
      slow.pause();
      setTimeout(() => slow.resume(), 5);
    });
    slow.write(request(warm));
    await until(() => server.mirror.readers === 2);
    const stalled = await openSocket(server.hub);
    stalled.on("error", () => undefined).pause();
    stalled.write(request(warm));
    await until(() => server.mirror.readers === 3);
    await until(() => troubles(server, "reads nothing").length > 0);
    await until(() => taken > big.byteLength);
    // The slow one is done, the stalled one gone: what is left waits for its first byte.
    await until(() => server.mirror.readers === 1 && server.mirror.pins === 1);
    expect(waiting.destroyed).toBe(false);
    expect(troubles(server, "reads nothing")).toMatchObject([{ client: "127.0.0.1" }]);
    for (const socket of [waiting, slow, stalled]) socket.resetAndDestroy();
    await until(() => server.mirror.pins === 0);
  });
});
