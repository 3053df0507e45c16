/** Shows what the log tells of each request: who asked with what program, what came of it, and how many bytes went out. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { plainAddress } from "../../src/http/request-log.ts";
import { patternBytes } from "../support/pattern.ts";
import { type MemoryServer, serveMemory } from "../support/serve-memory.ts";
import { ask, sendRaw, until } from "../support/wire.ts";

let server: MemoryServer;
beforeEach(async () => {
  server = await serveMemory();
});
afterEach(() => server.close());

async function lineOf(path: string): Promise<Record<string, unknown>> {
  const found = () => server.lines.find((line) => line.msg === "request" && line.path === path);
  await until(() => found() !== undefined);
  return found() ?? {};
}

test("the program that asked is named, in printable bytes and no more than 200 of them", async () => {
  const { hub } = server;
  const docker =
    "docker/27.3.1 go/go1.22.7 kernel/6.8.0 os/linux arch/amd64 UpstreamClient(Docker-Client/27.3.1)";
  await ask(hub, "/v2/a/tags/list", { headers: { "user-agent": docker } });
  expect(await lineOf("/v2/a/tags/list")).toMatchObject({ userAgent: docker });
  const odd = `a\tb\xe9\x9b http://user:SECRET@x ${"y".repeat(5000)}`;
  const head = `GET /v2/b/tags/list HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUser-Agent: ${odd}\r\n\r\n`;
  await sendRaw(hub, Buffer.from(head, "latin1"));
  const { userAgent } = await lineOf("/v2/b/tags/list");
  expect(userAgent).toMatch(/^a\?b\?\? http:\/\/\*\*\*@x y{100,}$/);
  expect(Buffer.byteLength(String(userAgent))).toBeLessThanOrEqual(200);
  expect(JSON.stringify(server.lines)).not.toContain("SECRET");
});

test.each([
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["192.0.2.7", "192.0.2.7"],
  ["2001:db8::7", "2001:db8::7"],
  ["::1", "::1"],
  [undefined, undefined],
])("the client %s is shown as %s", (address, shown) => {
  expect(plainAddress(address)).toBe(shown);
});

test("an error tells the bytes that it sent, and by HEAD none", async () => {
  const { hub } = server;
  for (const [path, status] of [
    ["/v2/org/none/manifests/1", 404],
    ["/v2/unknown.io/x/y/manifests/3", 404],
    ["/v2/Library/Alpine/manifests/3", 400],
    ["/v2/%ff", 400],
  ] as const) {
    const { body, status: found } = await ask(hub, path);
    expect(found).toBe(status);
    expect(await lineOf(path)).toMatchObject({ status, bytes: body.byteLength });
  }
  await ask(hub, "/v2/org/none/manifests/2", { method: "HEAD" });
  expect(await lineOf("/v2/org/none/manifests/2")).toMatchObject({ status: 404, bytes: 0 });
  const refused = await ask(hub, "/v2/a/blobs/uploads/", { method: "POST" });
  expect(await lineOf("/v2/a/blobs/uploads/")).toMatchObject({ status: 405, bytes: refused.body.byteLength });
});

test("a body that breaks off tells how much of it had gone out, and why", async () => {
  const { hub } = server;
  const sent = async () => (await server.metrics.clientBytes.get()).values[0]?.value ?? 0;
  const digest = server.mirror.addBlob(patternBytes(3, 0, 4 * 2 ** 20), {
    hook: async (offset) => {
      if (offset < 2 * 2 ** 20) return;
      await expect.poll(sent).toBe(2 * 2 ** 20);
      throw new GranaryError("upstream-unavailable", "The registry hung up.");
    },
  });
  const path = `/v2/org/x/blobs/${digest}`;
  const answer = await ask(hub, path);
  expect(answer.isComplete).toBe(false);
  const reason = "The registry hung up.";
  const bytes = 2 * 2 ** 20;
  expect(await lineOf(path)).toMatchObject({ status: 200, outcome: "error", reason, bytes });
});
