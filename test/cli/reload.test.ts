/**
 * Shows a running server through what its operators do: SIGHUP after a certificate or a password was renewed, signals that mean
 * nothing, a terminal or a log that goes away. One process for each group: they take a second to start.
 */
import { spawn } from "node:child_process";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type GranaryChild, startGranary } from "../support/run-granary.ts";
import { clientCert, clientKey, serverCert, serverKey } from "../support/throwaway-tls.ts";
import { ask, until } from "../support/wire.ts";

let directory: string;
let granary: GranaryChild;
let ports: number[];

const file = (name: string) => join(directory, name);
const linesWith = (text: string) =>
  granary
    .text()
    .split("\n")
    .filter((line) => line.includes(text));

async function start(listeners: string, upstreams = "{}"): Promise<void> {
  await writeFile(
    file("granary.yaml"),
    `listeners: [${listeners}]\nstorage: { directory: ${file("data")}, minFree: 1MiB }\nupstreams: ${upstreams}\n`,
  );
  granary = startGranary(["serve", "--config", file("granary.yaml")]);
  const listening = () => [...granary.text().matchAll(/listening on https?:\/\/127\.0\.0\.1:(\d+)/g)];
  const count = listeners.split("port:").length - 1;
  await Promise.race([until(() => listening().length === count), granary.ended]);
  ports = listening().map(([, port]) => Number(port));
  if (ports.length !== count) throw new Error(`it did not start: ${granary.text()}`);
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "granary-reload-"));
});
afterAll(async () => {
  granary.child.kill("SIGKILL");
  await granary.ended;
  await rm(directory, { recursive: true });
});

/** A connection over TLS, whatever certificate it shows; and whose that is. */
async function openTls(port: number): Promise<{ readonly socket: TLSSocket; readonly name: string }> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await new Promise((resolve, reject) =>
    socket.once("secureConnect", () => resolve(undefined)).once("error", reject),
  );
  return { socket, name: String(socket.getPeerCertificate().subject.CN) };
}

async function nameShown(port: number): Promise<string> {
  const { socket, name } = await openTls(port);
  socket.destroy();
  return name;
}

async function hangUp(): Promise<string> {
  const before = linesWith("read again").length;
  granary.child.kill("SIGHUP");
  await until(() => linesWith("read again").length > before);
  return linesWith("read again").at(-1) ?? "";
}

describe("a server whose certificates and passwords are renewed", () => {
  beforeAll(async () => {
    await writeFile(file("tls.crt"), serverCert);
    await writeFile(file("tls.key"), serverKey);
    await writeFile(file("password"), "one\n");
    await writeFile(file("upstream-password"), "TOP-S3CRET");
    await start(
      `{ port: 0, host: 127.0.0.1, upstream: docker.io, certFile: ${file("tls.crt")}, keyFile: ${file("tls.key")} },
      { port: 0, host: 127.0.0.1, upstream: docker.io, login: { username: ann, passwordFile: ${file("password")} } }`,
      `{ docker.io: { username: ann, passwordFile: ${file("upstream-password")}, clientCertFile: ${file("tls.crt")}, clientKeyFile: ${file("tls.key")} } }`,
    );
  });

  const authorization = (password: string) => `Basic ${Buffer.from(`ann:${password}`).toString("base64")}`;
  const statusFor = async (password: string) =>
    (await ask(ports[1] ?? 0, "/v2/", { headers: { authorization: authorization(password) } })).status;

  test("shows the new ones after SIGHUP, without closing a connection, and says so in one line", async () => {
    const [port = 0] = ports;
    const { socket, name } = await openTls(port);
    expect(name).toBe("throw-away server");
    await writeFile(file("tls.crt"), clientCert);
    await writeFile(file("tls.key"), clientKey);
    await writeFile(file("password"), "two\n");
    expect(await statusFor("two")).toBe(401);
    const line = JSON.parse(await hangUp());
    expect(line).toMatchObject({
      level: "info",
      renewed: ["listeners.0", "listeners.1.login", "upstreams.docker.io"],
    });
    expect(await nameShown(port)).toBe("throw-away client");
    expect([await statusFor("two"), await statusFor("one")]).toEqual([200, 401]);
    const answered = new Promise<string>((resolve) =>
      socket.once("data", (data) => resolve(data.toString())),
    );
    socket.write("GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(await answered).toMatch(/^HTTP\/1\.1 200 /);
    socket.destroy();
  });

  test("keeps what it has where the new one is broken, says why, and goes on with the rest", async () => {
    const [port = 0] = ports;
    await writeFile(file("tls.key"), serverKey);
    await writeFile(file("password"), "three");
    const line = JSON.parse(await hangUp());
    expect(line).toMatchObject({ level: "warn", renewed: ["listeners.1.login"] });
    expect(line.problems).toEqual([
      expect.stringMatching(/^listeners\.0: certFile and its key cannot be used together/),
      expect.stringMatching(/^upstreams\.docker\.io: clientCertFile and its key cannot be used together/),
    ]);
    expect(await nameShown(port)).toBe("throw-away client");
    expect(await statusFor("three")).toBe(200);
    await rm(file("tls.key"));
    expect(JSON.parse(await hangUp()).problems[0]).toMatch(
      /listeners\.0\.keyFile: the file .*tls\.key cannot be read/,
    );
    await writeFile(file("tls.key"), clientKey);
    expect(JSON.parse(await hangUp())).toMatchObject({ level: "info", renewed: [] });
    expect(granary.text()).not.toContain("S3CRET");
  });

  test("goes on at signals that mean nothing, and when nobody reads its log any more", async () => {
    for (const signal of ["SIGUSR1", "SIGUSR2", "SIGPIPE"] as const) granary.child.kill(signal);
    await until(() => linesWith("means nothing").length === 2);
    expect(granary.text()).not.toContain("Debugger listening");
    granary.child.stdout?.destroy();
    granary.child.stderr?.destroy();
    granary.child.kill("SIGHUP");
    for (let count = 0; count < 20; count++) expect(await statusFor("three")).toBe(200);
  });

  test("drains at SIGQUIT, is not ended by SIGHUP meanwhile, and ends at once at the second", async () => {
    // A request that is not over holds the drain.
    const [, port = 0] = ports;
    const slow = get({ port, host: "127.0.0.1", path: "/v2/", headers: { "content-length": "5" } });
    slow.on("error", () => undefined);
    slow.write("a");
    await until(() => slow.socket?.writableLength === 0);
    expect(await statusFor("three")).toBe(200);
    granary.child.kill("SIGQUIT");
    await untilRefused(port);
    granary.child.kill("SIGHUP");
    granary.child.kill("SIGHUP");
    expect(granary.child.exitCode).toBeNull();
    granary.child.kill("SIGTERM");
    expect((await granary.ended).code).toBe(1);
  });
});

async function takePort(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  return { server, port: address !== null && typeof address === "object" ? address.port : 0 };
}

async function untilRefused(port: number): Promise<void> {
  for (;;) {
    const error = await ask(port, "/healthz").then(
      () => undefined,
      (failure: unknown) => failure,
    );
    if (error !== undefined) return;
  }
}

describe("a server whose log cannot be written", () => {
  test.each(["json", "pretty"])("(%s) goes on serving, and drains when it is stopped", async (format) => {
    const config = file(`full-${format}.yaml`);
    const { server, port } = await takePort();
    await new Promise((resolve) => server.close(resolve));
    await writeFile(
      config,
      `listeners: [{ port: ${port}, host: 127.0.0.1, upstream: docker.io }]\nstorage: { directory: ${file(`full-${format}`)}, minFree: 1MiB }\nlog: { format: ${format} }\n`,
    );
    // What a full disk answers, to every write.
    const full = await open("/dev/full", "w");
    const launcher = fileURLToPath(new URL("../../src/cli/granary.js", import.meta.url));
    const child = spawn(process.execPath, [launcher, "serve", "--config", config], {
      stdio: ["ignore", full.fd, full.fd],
    });
    const ended = new Promise((resolve) => child.once("close", resolve));
    const status = async () => (await ask(port, "/v2/")).status;
    await vi.waitFor(async () => expect(await status()).toBe(200), { timeout: 60_000, interval: 50 });
    for (let count = 0; count < 20; count++) expect(await status()).toBe(200);
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    await full.close();
  });
});
