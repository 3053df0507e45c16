/**
 * Shows that blobs which leave by sendfile are the same answers as those that are copied: every byte, the end that waits for the digest, what is
 * counted, and what is left behind when a client goes.
 */
import { chmod, open, truncate } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Writable } from "node:stream";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { FileSender } from "../../src/http/answers/file-sender.ts";
import type { SendInTurns } from "../../src/http/answers/sending.ts";
import { type ServeSettings, serve } from "../../src/http/serve.ts";
import { createLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { digestOf, isDigest } from "../../src/oci/digest.ts";
import { MiB, type MirrorWorld, startWorld, UPSTREAM, type WorldOptions } from "../support/mirror-world.ts";
import { eventually } from "../support/patience.ts";
import { serverCert, serverKey } from "../support/throwaway-tls.ts";
import { upstreamOf } from "../support/upstream-of.ts";
import { ask, openSocket } from "../support/wire.ts";

const SIZE = 9 * MiB + 12_345;

/** The bytes that the kernel moved in this test. */
let movedBytes = 0;
const moved = () => movedBytes;
/** The kernel tells what it took of a turn only when the connection is gone. */
let tellsLate = false;
const { open: realOpen } = FileSender;

beforeEach(() => {
  [movedBytes, tellsLate] = [0, false];
  vi.spyOn(FileSender, "open").mockImplementation((outgoing, sendFile, onSent) =>
    realOpen(outgoing, tellsLate ? toldLate(sendFile, outgoing) : sendFile, (bytes) => {
      movedBytes += bytes;
      onSent(bytes);
    }),
  );
});
afterEach(() => void vi.restoreAllMocks());

test("F2, F18: a stored blob leaves by sendfile, whole and in ranges, byte for byte, but for its end", async () => {
  const { world, digest, path, port } = await served();
  const right = await stored(world, digest);
  const whole = await ask(port, path);
  expect([whole.status, whole.body.byteLength, digestOf(whole.body)]).toEqual([200, SIZE, digest]);
  expect(moved()).toBeGreaterThan(SIZE / 2);
  expect(moved()).toBeLessThanOrEqual(SIZE - 64 * 1024);
  for (const [start, end] of [
    [0, SIZE],
    [1, 3 * MiB],
    [SIZE - 2 * MiB - 7, SIZE],
    [MiB - 1, 2 * MiB],
  ] as const) {
    const { status, body } = await ask(port, path, { headers: { range: `bytes=${start}-${end - 1}` } });
    expect([status, Buffer.compare(body, right.subarray(start, end))]).toEqual([206, 0]);
  }
});

test("F5, F6: clients of a running fill get what is there by sendfile, and each byte is fetched once", async () => {
  const { world, digest, path, port } = await served();
  const answers = await Promise.all(
    [undefined, "bytes=0-5000000", undefined, "bytes=4194304-"].map((range) =>
      ask(port, path, range === undefined ? {} : { headers: { range } }),
    ),
  );
  const [first, front, second, back] = answers.map(({ body }) => body);
  expect(digestOf(first ?? Buffer.alloc(0))).toBe(digest);
  expect(digestOf(second ?? Buffer.alloc(0))).toBe(digest);
  expect(Buffer.compare(front ?? Buffer.alloc(0), (first ?? Buffer.alloc(0)).subarray(0, 5_000_001))).toBe(0);
  expect(Buffer.compare(back ?? Buffer.alloc(0), (first ?? Buffer.alloc(0)).subarray(4_194_304))).toBe(0);
  expect(moved()).toBeGreaterThan(0);
  expect(world.fake.matching({ kind: "blob", method: "GET" }).length).toBeGreaterThan(0);
  expect(await world.metric("upstream_bytes_total")).toBe(SIZE);
});

test("F5, F12: of a client that leaves in the middle is counted what the kernel took, and nothing is left behind", async () => {
  const { world, digest, path, port, lines } = await served();
  await stored(world, digest);
  const socket = await openSocket(port);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  const received = await takeSome(socket, 2 * MiB);
  await eventually(async () => expect((await world.mirror.status()).pins).toBe(1));
  socket.destroy();
  await eventually(() => expect(lines.filter(({ msg }) => msg === "request")).toHaveLength(1));
  const { bytes, ...line } = lines.find(({ msg }) => msg === "request") ?? {};
  expect(line).toMatchObject({ outcome: "aborted", status: 200 });
  // What the system had taken and the client had not read is counted too; more than the whole cannot be.
  expect(bytes).toBeGreaterThanOrEqual(received);
  expect(bytes).toBeLessThan(SIZE);
  await eventually(async () => expect((await world.mirror.status()).pins).toBe(0));
  await eventually(async () =>
    expect((await world.openFiles()).filter((file) => file.includes("sha256"))).toEqual([]),
  );
});

test("F12: what the kernel was at when the client left is counted too", async () => {
  const { world, digest, path, port, lines } = await served();
  await stored(world, digest);
  tellsLate = true;
  const socket = await openSocket(port);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  const received = await takeSome(socket, MiB);
  socket.destroy();
  await eventually(() => expect(lines.filter(({ msg }) => msg === "request")).toHaveLength(1));
  const { bytes, outcome } = lines.find(({ msg }) => msg === "request") ?? {};
  expect(outcome).toBe("aborted");
  // Some of what was received is the head of the answer.
  expect(bytes).toBeGreaterThanOrEqual(received - 1024);
});

test("what was sent is counted exactly", async () => {
  const { world, digest, path, port, lines } = await served();
  await stored(world, digest);
  await ask(port, path, { headers: { range: "bytes=5-7000000" } });
  await ask(port, path);
  const sent = () => lines.filter(({ msg }) => msg === "request").map(({ bytes }) => bytes);
  await eventually(() => expect(sent()).toEqual([6_999_996, SIZE]));
});

test("F18: a client never gets the end of a blob that was damaged on the disk", async () => {
  const { world, digest, path, port: before } = await served();
  await stored(world, digest);
  await ask(before, path);
  await world.stop();
  await flipByte(world.store.layout.blob(idOf(digest)), 5 * MiB);
  await world.start();
  const { port } = await listen(world);
  const { isComplete, body } = await ask(port, path);
  expect(isComplete).toBe(false);
  expect(body.length).toBeLessThanOrEqual(SIZE - 64 * 1024);
  // It was found out, and whoever comes next gets right bytes.
  expect(digestOf((await ask(port, path)).body)).toBe(digest);
});

test("a file that ends early under a running answer: the rest is fetched, and the whole is right", async () => {
  const { world, digest, path, port } = await served();
  await stored(world, digest);
  const socket = await openSocket(port);
  const chunks: Buffer[] = [];
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const received = await takeSome(socket, MiB, chunks);
  expect(received).toBeLessThan(SIZE);
  await truncate(world.store.layout.blob(idOf(digest)), SIZE - MiB);
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.resume();
  await closed;
  const answer = Buffer.concat(chunks);
  expect(digestOf(answer.subarray(answer.indexOf("\r\n\r\n") + 4))).toBe(digest);
});

test("requests of one connection, moved and copied in turn, come in order", async () => {
  const { world, digest, path, port } = await served();
  const right = await stored(world, digest);
  const socket = await openSocket(port);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  const get = (range: string, more = "") =>
    `GET ${path} HTTP/1.1\r\nHost: x\r\nRange: bytes=${range}\r\n${more}\r\n`;
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.write(get("0-4999999") + get("7-16") + get("1000000-8999999", "Connection: close\r\n"));
  await closed;
  let rest = Buffer.concat(chunks);
  for (const [start, end] of [
    [0, 5_000_000],
    [7, 17],
    [1_000_000, 9_000_000],
  ] as const) {
    const from = rest.indexOf("\r\n\r\n") + 4;
    expect(Buffer.compare(rest.subarray(from, from + end - start), right.subarray(start, end))).toBe(0);
    rest = rest.subarray(from + end - start);
  }
  expect(rest).toHaveLength(0);
});

test("the log says how blobs leave; a setting has them copied, and https always does", async () => {
  const open = await served();
  expect(open.said()).toEqual(["blobs leave by sendfile"]);
  const off = await served({}, { clients: { sendfile: false } });
  expect(off.said()).toEqual(["blobs are copied to clients: clients.sendfile is false"]);
  expect(digestOf((await ask(off.port, off.path)).body)).toBe(off.digest);
  expect(moved()).toBe(0);
  const { said } = await served({}, { tls: { cert: serverCert, key: serverKey } });
  expect(said()).toEqual(["blobs leave by sendfile; those of listeners with https are copied"]);
});

test("a reload switches it for the answers that begin after it", async () => {
  const { world, digest, path, port, reload, said } = await served();
  await stored(world, digest);
  await reload(false);
  await ask(port, path);
  expect(moved()).toBe(0);
  await reload(true);
  await ask(port, path);
  expect(moved()).toBeGreaterThan(0);
  expect(said()).toHaveLength(3);
});

function toldLate(sendFile: SendInTurns, outgoing: ServerResponse): SendInTurns {
  // A reset that sendfile hears of first is an ordinary end to the connection, which the next write finds broken.
  const isGone = new Promise((resolve) => {
    for (const event of ["end", "close"]) outgoing.socket?.once(event, resolve);
  });
  const send: SendInTurns["send"] = async (...turn) => {
    const taken = await sendFile.send(...turn);
    await isGone;
    return taken;
  };
  return { ...sendFile, send };
}

/** Brings it in, and waits until it is committed. */
async function stored(world: MirrorWorld, digest: string): Promise<Buffer> {
  const bytes = await world.read("team/app", digest);
  await world.fills(0);
  return bytes;
}

type Terms = {
  readonly clients?: { readonly sendfile: boolean };
  readonly tls?: ServeSettings["listeners"][number]["tls"];
};

async function served(options: WorldOptions = {}, terms: Terms = {}) {
  const world = await startWorld(options);
  const image = world.fake.addImage("team/app", "1", { layers: [SIZE] });
  const digest = image.layerDigests[0] ?? "";
  return { world, digest, path: `/v2/team/app/blobs/${digest}`, ...(await listen(world, terms)) };
}

async function listen(world: MirrorWorld, { clients, tls }: Terms = {}) {
  const lines: Record<string, unknown>[] = [];
  const log = createLog({ level: "info", format: "json" }, linesInto(lines));
  const settings = (sendfile: boolean | undefined): ServeSettings => ({
    listeners: [{ port: 0, host: "127.0.0.1", upstream: UPSTREAM, login: undefined, tls }],
    upstreams: [upstreamOf(world.fake)],
    drainMs: 1_000,
    ...(sendfile !== undefined && {
      clients: { maxConnections: 100, maxConnectionsPerAddress: 100, stallMs: 60_000, sendfile },
    }),
  });
  const observers = { log, metrics: createMetrics(), clock: world.clock };
  const serving = await serve(settings(clients?.sendfile), world.mirror, observers);
  onTestFinished(() => serving.close());
  const reload = async (sendfile: boolean) => {
    const { apply } = await serving.reloadPart.prepare(settings(sendfile), false);
    apply();
  };
  const said = () =>
    lines.map(({ msg }) => String(msg)).filter((message) => /^blobs (leave|are copied)/.test(message));
  return { port: serving.listeners[0]?.port ?? 0, lines, reload, said };
}

/** Reads at least `least` bytes of what comes, then no more; returns how many. */
async function takeSome(socket: Socket, least: number, chunks: Buffer[] = []): Promise<number> {
  let received = 0;
  await new Promise<void>((resolve) => {
    const take = (chunk: Buffer) => {
      chunks.push(chunk);
      received += chunk.length;
      if (received < least) return;
      socket.off("data", take);
      socket.pause();
      resolve();
    };
    socket.on("data", take);
  });
  return received;
}

async function flipByte(path: string, offset: number): Promise<void> {
  await chmod(path, 0o600);
  const file = await open(path, "r+");
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, offset);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await file.write(byte, 0, 1, offset);
  await file.close();
}

function linesInto(lines: Record<string, unknown>[]): Writable {
  return new Writable({
    write(chunk: Buffer, _, done) {
      for (const line of chunk.toString().trim().split("\n")) lines.push(JSON.parse(line));
      done();
    },
  });
}

function idOf(digest: string) {
  if (!isDigest(digest)) throw new Error(`${digest} is no digest`);
  return digest;
}
