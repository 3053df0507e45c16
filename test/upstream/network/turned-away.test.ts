/** Which failures are those of a connection that was ended before any answer: reset or closed, with TLS and without; and no others. */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { DEFAULT_POLICY } from "../../../src/config/defaults.ts";
import { createDispatchers } from "../../../src/upstream/network/dispatcher.ts";
import { transportError } from "../../../src/upstream/network/transport-error.ts";
import { caPem, serverCert, serverKey } from "../../support/throwaway-tls.ts";

const ENDS: readonly (readonly [string, (socket: Socket) => void])[] = [
  ["reset", (socket) => socket.resetAndDestroy()],
  ["closed", (socket) => socket.end()],
];

test.each(ENDS)("a connection that is %s before an answer was turned away", async (_, end) => {
  expect(await failureAt(createServer(end))).toMatchObject({ isTurnedAway: true });
});

test("so was one that is reset in its handshake", async () => {
  const port = await listening(createServer((socket) => socket.resetAndDestroy()));
  expect(await failureOf(new URL(`https://localhost:${port}/`))).toMatchObject({ isTurnedAway: true });
});

test("and one with TLS that is closed after its handshake", async () => {
  const server = createTlsServer({ cert: serverCert, key: serverKey }, (socket) => socket.end());
  const port = await listening(server);
  expect(await failureOf(new URL(`https://localhost:${port}/`))).toMatchObject({ isTurnedAway: true });
});

test.each(ENDS)("one that is %s in the middle of its answer was not", async (_, end) => {
  const server = createServer((socket) => {
    socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Le", () => setImmediate(end, socket)));
  });
  expect(await failureAt(server)).not.toHaveProperty("isTurnedAway");
});

async function failureAt(server: Server) {
  return await failureOf(new URL(`http://127.0.0.1:${await listening(server)}/`));
}

async function listening(server: Server): Promise<number> {
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.on("error", () => undefined);
  });
  onTestFinished(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** The facts of the failure of one request, as connections.ts gets them. */
async function failureOf(url: URL) {
  const dispatchers = createDispatchers({
    isInternal: true,
    policy: DEFAULT_POLICY,
    proxies: { http: undefined, https: undefined, proxyOf: () => undefined },
    tls: { ca: caPem },
    lookup: undefined,
    onUnsound: () => undefined,
  });
  onTestFinished(() => dispatchers.destroy(new Error("the test is over")));
  const { signal } = new AbortController();
  const request = dispatchers.of(url).request({ origin: url.origin, path: "/", method: "GET", signal });
  const outcome = await request.then(
    ({ body }) => body.text().then(() => undefined),
    (error: unknown) => transportError(error, "GET", url, signal).facts,
  );
  expect(outcome).toBeDefined();
  return outcome;
}
