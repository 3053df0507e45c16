/** Shows that a client which closes its own direction after the request is answered in full, and that one which is gone is noticed. */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { plainUpstream } from "../../../src/config/defaults.ts";
import { serve } from "../../../src/http/serve.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";
import { MemoryMirror } from "../../support/memory-mirror.ts";
import { patternBytes } from "../../support/pattern.ts";
import { caPem, serverCert, serverKey } from "../../support/throwaway-tls.ts";
import { until } from "../../support/wire.ts";

const big = patternBytes(4, 0, 4 * 2 ** 20);
const tls = { cert: serverCert, key: serverKey };

let mirror: MemoryMirror;
afterEach(() => {
  expect([mirror.pins, mirror.readers], "pins and readers left behind (F12)").toEqual([0, 0]);
});

/** One listener of Docker Hub; `open` connects to it, and the connection stays readable when its own direction ends. */
async function startListener(scheme: "http" | "https", silenceMs?: number) {
  mirror = new MemoryMirror();
  const listener = { host: "127.0.0.1", port: 0, upstream: "docker.io", login: undefined };
  const settings = {
    listeners: [
      {
        ...listener,
        tls: scheme === "https" ? tls : undefined,
        ...(silenceMs !== undefined && { silenceMs }),
      },
    ],
    upstreams: [plainUpstream("docker.io")],
    drainMs: 1_000,
  };
  const serving = await serve(settings, mirror, {
    log: silentLog,
    metrics: createMetrics(),
    clock: systemClock,
  });
  onTestFinished(() => serving.close());
  const port = serving.listeners[0]?.port ?? 0;
  const open = async (): Promise<Socket> => {
    const socket =
      scheme === "http" ? connect({ port, host: "127.0.0.1", allowHalfOpen: true }) : openTls(port);
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.once(scheme === "http" ? "connect" : "secureConnect", resolve));
    return socket;
  };
  return { open };
}

/** `tls.connect` takes `allowHalfOpen` too, though its type does not say so. */
function openTls(port: number): Socket {
  const options = { port, host: "127.0.0.1", ca: caPem, allowHalfOpen: true };
  return connectTls(options);
}

/** Sends `requests`, closes this direction, and gives back all that comes. */
async function askAndClose(socket: Socket, requests: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise((resolve) => socket.once("end", resolve));
  socket.end(requests);
  await Promise.race([ended, new Promise((resolve) => socket.once("close", resolve))]);
  socket.destroy();
  return Buffer.concat(chunks);
}

const get = (path: string, headers = "", version = "1.1") =>
  `GET /v2/library/alpine/${path} HTTP/${version}\r\nHost: x\r\n${headers}\r\n`;

const headOf = (answer: Buffer) => answer.subarray(0, answer.indexOf("\r\n\r\n")).toString();
const bodyOf = (answer: Buffer) => answer.subarray(answer.indexOf("\r\n\r\n") + 4);

describe.each(["http", "https"] as const)("over %s, a client that closes its own direction", (scheme) => {
  test("after the request gets the whole blob, cold", async () => {
    const { open } = await startListener(scheme);
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const digest = mirror.addBlob(big, { hook: () => gate, outcome: "miss" });
    const socket = await open();
    const answer = askAndClose(socket, get(`blobs/${digest}`));
    await until(() => mirror.readers === 1 && socket.writableFinished);
    go();
    expect(bodyOf(await answer).equals(big)).toBe(true);
  });

  test.each([
    ["warm", "", "1.1", 200, big],
    ["by HTTP/1.0", "", "1.0", 200, big],
    ["with keep-alive", "Connection: keep-alive\r\n", "1.1", 200, big],
    ["in part", "Range: bytes=5-1000004\r\n", "1.1", 206, big.subarray(5, 1_000_005)],
  ])("gets a blob %s", async (_, headers, version, status, body) => {
    const { open } = await startListener(scheme);
    const digest = mirror.addBlob(big);
    const answer = await askAndClose(await open(), get(`blobs/${digest}`, headers, version));
    expect(headOf(answer)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(bodyOf(answer).equals(body)).toBe(true);
  });

  test("gets manifests, HEAD, lists, errors and status pages", async () => {
    const { open } = await startListener(scheme);
    mirror.addManifest("docker.io/library/alpine", ["3"], '{"schemaVersion":2}');
    const ask = async (request: string) => await askAndClose(await open(), request);
    expect(bodyOf(await ask(get("manifests/3"))).toString()).toBe('{"schemaVersion":2}');
    const head = await ask(get("manifests/3").replace("GET", "HEAD"));
    expect(headOf(head)).toMatch(/^HTTP\/1\.1 200 .*Docker-Content-Digest: sha256:/s);
    expect(headOf(await ask(get("manifests/none")))).toMatch(/^HTTP\/1\.1 404 /);
    expect(headOf(await ask("GET /readyz HTTP/1.0\r\n\r\n"))).toMatch(/^HTTP\/1\.1 200 /);
  });

  test("gets the answers to all requests in the queue", async () => {
    const { open } = await startListener(scheme);
    const digest = mirror.addBlob(big.subarray(0, 100_000));
    const answer = await askAndClose(await open(), get(`blobs/${digest}`).repeat(5));
    expect(answer.toString("latin1").match(/HTTP\/1\.1 200 OK/g)).toHaveLength(5);
    expect(answer.byteLength).toBeGreaterThan(500_000);
    // So many that the end of the stream comes long after the first answer has begun.
    const heads = await askAndClose(await open(), get(`blobs/${digest}`).replace("GET", "HEAD").repeat(300));
    expect(heads.toString("latin1").match(/HTTP\/1\.1 200 OK/g)).toHaveLength(300);
  });

  test("and reads slowly gets it all", async () => {
    const { open } = await startListener(scheme);
    const digest = mirror.addBlob(big);
    const socket = await open();
    let taken = 0;
    socket.on("data", (chunk: Buffer) => {
      taken += chunk.byteLength;
      socket.pause();
      setTimeout(() => socket.resume(), 1);
    });
    const ended = new Promise((resolve) => socket.once("close", resolve));
    socket.end(get(`blobs/${digest}`, "Connection: close\r\n"));
    await ended;
    expect(taken).toBeGreaterThan(big.byteLength);
  });

  test("and never reads holds nothing for ever", async () => {
    const { open } = await startListener(scheme, 100);
    const digest = mirror.addBlob(Buffer.concat([big, big, big, big]));
    const socket = await open();
    socket.pause();
    socket.end(get(`blobs/${digest}`));
    await until(() => mirror.asked.length === 1);
    await until(() => mirror.readers === 0 && mirror.pins === 0);
    socket.destroy();
  });
});

describe("a client that has closed altogether", () => {
  test("is noticed with the next bytes for it (F12)", async () => {
    const { open } = await startListener("http");
    const gates: (() => void)[] = [];
    const hook = () => new Promise<void>((resolve) => gates.push(resolve));
    const digest = mirror.addBlob(big, { hook, outcome: "miss" });
    const socket = await open();
    socket.write(get(`blobs/${digest}`));
    await until(() => mirror.readers === 1);
    socket.destroy();
    await until(() => {
      gates.shift()?.();
      return mirror.readers === 0 && mirror.pins === 0;
    });
  });

  test("is noticed by itself where no byte comes any more (F12)", async () => {
    const { open } = await startListener("http", 100);
    const digest = mirror.addBlob(big, { hook: () => new Promise(() => undefined), outcome: "miss" });
    const socket = await open();
    socket.write(get(`blobs/${digest}`).repeat(3));
    await until(() => mirror.readers === 1);
    socket.destroy();
    await until(() => mirror.readers === 0 && mirror.pins === 0);
  });

  test("is noticed by itself also behind requests that were never read (F12)", async () => {
    const { open } = await startListener("http", 100);
    const digest = mirror.addBlob(big, { hook: () => new Promise(() => undefined), outcome: "miss" });
    const socket = await open();
    socket.write(get(`blobs/${digest}`).repeat(3_000));
    await until(() => mirror.readers === 1);
    socket.destroy();
    await until(() => mirror.readers === 0 && mirror.pins === 0);
    expect(mirror.asked).toHaveLength(1);
  });

  test("after an answer, leaves no connection behind", async () => {
    const { open } = await startListener("http");
    const socket = await open();
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.write(get("manifests/none"));
    await until(() => chunks.length > 0);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.end();
    await closed;
  });
});
