/** How sockets to upstreams are read: every byte, in order, before the end, and many TLS records at once. */
import { once } from "node:events";
import { type AddressInfo, connect as connectPlain, createServer, type Server, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { giveBack } from "../../../src/bytes/slab.ts";
import { readInSlabs } from "../../../src/upstream/network/socket-reads.ts";
import { firstDifference, patternBytes } from "../../support/pattern.ts";
import { serverCert, serverKey } from "../../support/throwaway-tls.ts";

const SIZE = 5_000_011;
const RECORD = 16 * 1024;

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A server that sends the bytes to whoever connects, in pieces of `piece` bytes, and ends. */
async function serving(isTls: boolean, piece: number): Promise<number> {
  const bytes = patternBytes(5, 0, SIZE);
  const send = async (socket: Socket) => {
    for (let at = 0; at < SIZE; at += piece) {
      if (!socket.write(bytes.subarray(at, at + piece))) await once(socket, "drain");
    }
    socket.end();
  };
  const server = isTls
    ? createTlsServer({ cert: serverCert, key: serverKey }, (socket) => void send(socket))
    : createServer((socket) => void send(socket));
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function connected(isTls: boolean, port: number): Socket {
  const options = { host: "127.0.0.1", port, ...readInSlabs() };
  return isTls ? connectTls({ ...options, rejectUnauthorized: false }) : connectPlain(options);
}

/** Reads as undici does. `slowly`: with a turn of the event loop after each chunk. */
async function readAll(socket: Socket, slowly: boolean): Promise<{ bytes: Buffer; chunks: number }> {
  const copies: Buffer[] = [];
  let isReading = false;
  const read = async () => {
    if (isReading) return;
    isReading = true;
    for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
      copies.push(Buffer.from(chunk));
      giveBack(chunk);
      if (slowly) await new Promise((resolve) => setImmediate(resolve));
    }
    isReading = false;
  };
  socket.on("readable", () => void read());
  await once(socket, "end");
  return { bytes: Buffer.concat(copies), chunks: copies.length };
}

describe.each([
  ["plain", false],
  ["TLS", true],
])("over %s", (_name, isTls) => {
  it.each([
    ["in large pieces", 1_000_000, false],
    ["in odd pieces", 4_099, false],
    ["to a slow reader", 300_000, true],
  ])("every byte comes in its order, before the end: %s", async (_how, piece, slowly) => {
    const socket = connected(isTls, await serving(isTls, piece));
    const { bytes } = await readAll(socket, slowly);
    expect(bytes.length).toBe(SIZE);
    expect(firstDifference(5, 0, bytes)).toBeUndefined();
  });
});

it("TLS records that come together are handed over together", async () => {
  const { chunks } = await readAll(connected(true, await serving(true, 1_000_000)), false);
  expect(chunks).toBeLessThan(SIZE / RECORD / 2);
});

it("two sockets of one connector never share memory", async () => {
  const port = await serving(false, 100_000);
  const options = { host: "127.0.0.1", port, ...readInSlabs() };
  const read = await Promise.all(
    [connectPlain(options), connectPlain(options)].map((each) => readAll(each, true)),
  );
  expect(read.map(({ bytes }) => firstDifference(5, 0, bytes))).toEqual([undefined, undefined]);
});
