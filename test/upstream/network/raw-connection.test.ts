/** Shows how a plain connection is made for a tunnel: through the proxy of the environment, and to no address that the guard refuses. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../src/observe/clock.ts";
import { connectRaw, type RawConnectionOptions } from "../../../src/upstream/network/raw-connection.ts";
import { startForwardProxy } from "../../support/forward-proxy.ts";

async function startEcho(): Promise<number> {
  const server = createServer((socket) => socket.pipe(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

function connect(host: string, port: number, isInternal: boolean, more: Partial<RawConnectionOptions> = {}) {
  const { signal } = new AbortController();
  return connectRaw(
    { host, port, isInternal },
    { env: {}, timeoutMs: 5_000, signal, clock: systemClock, ...more },
  );
}

async function echoes(socket: Socket): Promise<boolean> {
  socket.write("hello");
  const [answer] = await once(socket, "data");
  socket.destroy();
  return String(answer) === "hello";
}

describe("a connection", () => {
  test("is direct without a proxy, to a name or an address", async () => {
    const port = await startEcho();
    expect(await echoes(await connect("127.0.0.1", port, true))).toBe(true);
    expect(await echoes(await connect("localhost", port, true))).toBe(true);
  });

  test("goes through the proxy of the environment, which resolves the name", async () => {
    const port = await startEcho();
    const proxy = await startForwardProxy({ "registry.test:443": `127.0.0.1:${port}` });
    const socket = await connect("registry.test", 443, false, { env: { HTTPS_PROXY: proxy.url } });
    expect(await echoes(socket)).toBe(true);
    expect(proxy.asked).toEqual(["CONNECT registry.test:443"]);
  });

  test("that the proxy refuses is an error that names the proxy without its login", async () => {
    const proxy = await startForwardProxy({}, { login: "Basic no" });
    const env = { HTTPS_PROXY: proxy.url.replace("http://", "http://ann:secret@") };
    const failure = await connect("registry.test", 443, false, { env }).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "upstream-unavailable",
      message: expect.stringContaining("HTTPS_PROXY"),
    });
    expect(String(failure)).not.toContain("secret");
  });

  test.each([
    ["127.0.0.1", false],
    ["localhost", false],
    ["169.254.169.254", true],
    ["::1", false],
    ["10.1.2.3", false],
  ])("to %s is refused (an internal upstream: %s)", async (host, isInternal) => {
    await expect(connect(host, 443, isInternal)).rejects.toMatchObject({ code: "denied" });
  });

  test("that nobody takes ends in time, and one that is given up at once", async () => {
    // It hands out no address in time.
    const lookup: RawConnectionOptions["lookup"] = () => undefined;
    await expect(connect("slow.test", 443, false, { lookup, timeoutMs: 50 })).rejects.toMatchObject({
      code: "upstream-unavailable",
    });
    const leaving = new AbortController();
    const asked = connect("slow.test", 443, false, { lookup, signal: leaving.signal });
    leaving.abort();
    await expect(asked).rejects.toMatchObject({ code: "aborted" });
  });
});
