/** Shows that a client which reads nothing until it has sent all gets the answer of a request that is not read to its end. */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { plainUpstream } from "../../../src/config/defaults.ts";
import { serve } from "../../../src/http/serve.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { MemoryMirror } from "../../support/memory-mirror.ts";
import { caPem, serverCert, serverKey } from "../../support/throwaway-tls.ts";
import { until } from "../../support/wire.ts";

const tls = { cert: serverCert, key: serverKey };
const MEBIBYTE = Buffer.concat([Buffer.from("100000\r\n"), Buffer.alloc(2 ** 20), Buffer.from("\r\n")]);

async function startListener(scheme: "http" | "https") {
  const clock = new FakeClock();
  const entry = { host: "127.0.0.1", port: 0, upstream: "docker.io", login: undefined };
  const settings = {
    listeners: [{ ...entry, tls: scheme === "https" ? tls : undefined }],
    upstreams: [plainUpstream("docker.io")],
    drainMs: 1_000,
  };
  const metrics = createMetrics();
  const serving = await serve(settings, new MemoryMirror(), { log: silentLog, metrics, clock });
  const sockets: Socket[] = [];
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await serving.close();
  });
  const port = serving.listeners[0]?.port ?? 0;
  const open = async (): Promise<Socket> => {
    const options = { port, host: "127.0.0.1", allowHalfOpen: true };
    const socket = scheme === "http" ? connect(options) : connectTls({ ...options, ca: caPem });
    sockets.push(socket);
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.once(scheme === "http" ? "connect" : "secureConnect", resolve));
    return socket;
  };
  return { open, clock };
}

/** Sends everything, and only then reads until the server ends its direction. */
async function sendThenRead(socket: Socket, parts: readonly (string | Buffer)[]): Promise<string> {
  socket.pause();
  for (const part of parts) await new Promise((resolve) => socket.write(part, resolve));
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  await new Promise((resolve) => socket.once("end", resolve).once("close", resolve).resume());
  return text;
}

describe.each(["http", "https"] as const)("over %s", (scheme) => {
  test("a push beyond what is read of it is refused with its 405, not with a reset", async () => {
    const { open } = await startListener(scheme);
    const head = "PUT /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    const answer = await sendThenRead(await open(), [head, ...Array.from({ length: 32 }, () => MEBIBYTE)]);
    expect(answer).toMatch(/^HTTP\/1\.1 405 .*\r\nConnection: close\r\n/s);
  });

  test("headers that are too large are one clear answer", async () => {
    const { open } = await startListener(scheme);
    const header = `X-A: ${"a".repeat(60_000)}\r\n`;
    const answer = await sendThenRead(await open(), [
      "GET /v2/ HTTP/1.1\r\nHost: x\r\n",
      ...Array(30).fill(header),
    ]);
    expect(answer).toMatch(/^HTTP\/1\.1 431 .*"message":"the headers of the request are too large"/s);
  });

  test("what is no HTTP is 400 in the registry's form, and what was sent behind it is not answered", async () => {
    const { open } = await startListener(scheme);
    const answer = await sendThenRead(await open(), ["NONSENSE\r\n\r\nGET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"]);
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n.*"code":"UNSUPPORTED"/s);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  test("a client that sends on for ever is closed ten seconds after its answer", async () => {
    const { open, clock } = await startListener(scheme);
    const socket = await open();
    socket.write("PUT /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    const pour = () => {
      while (!socket.destroyed && socket.write(MEBIBYTE));
      if (!socket.destroyed) socket.once("drain", pour);
    };
    pour();
    await new Promise((resolve) => socket.once("end", resolve).resume());
    await clock.advance(9_000);
    const { bytesWritten } = socket;
    await until(() => socket.bytesWritten > bytesWritten + 32 * 2 ** 20);
    expect(socket.destroyed).toBe(false);
    await clock.advance(1_000);
    await until(() => socket.destroyed);
  });

  test("a tunnel that was refused and never closed holds nothing for ever", async () => {
    const { open, clock } = await startListener(scheme);
    const socket = await open();
    socket.write("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
    });
    await new Promise((resolve) => socket.once("end", resolve));
    expect(answer).toMatch(/^HTTP\/1\.1 405 /);
    await clock.advance(10_000);
    // This side stays open; only by writing does it hear that the other one has had enough.
    const timer = setInterval(() => socket.write("x"), 10);
    await until(() => socket.destroyed);
    clearInterval(timer);
  });
});
