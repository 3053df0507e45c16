/** Shows what the metrics count of requests: outcomes that mean what they say, upstreams from a bounded set, and bytes as they go out. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { patternBytes } from "../support/pattern.ts";
import { type MemoryServer, serveMemory } from "../support/serve-memory.ts";
import { ask, openSocket, until } from "../support/wire.ts";

let server: MemoryServer;
beforeEach(async () => {
  server = await serveMemory();
});
afterEach(() => server.close());

async function counted(path: string, options: Parameters<typeof ask>[2] = {}) {
  const { requests } = server.metrics;
  requests.reset();
  await ask(server.hub, path, options);
  await expect.poll(async () => (await requests.get()).values).toHaveLength(1);
  return (await requests.get()).values[0]?.labels;
}

test("a 404 is no error, and neither is a request that is at fault", async () => {
  const absent = { outcome: "absent", status: "404" };
  expect(await counted("/v2/org/none/manifests/1")).toMatchObject({ ...absent, upstream: "docker.io" });
  expect(await counted("/v2/org/x/manifests/.no-tag")).toMatchObject(absent);
  expect(await counted("/favicon.ico")).toMatchObject(absent);
  expect(await counted("/v2/unknown.io/x/y/manifests/3")).toMatchObject({ ...absent, upstream: "none" });
  const refused = { outcome: "refused", upstream: "none" };
  expect(await counted("/v2/Library/Alpine/manifests/3")).toMatchObject({ ...refused, status: "400" });
  expect(await counted("/v2/a/blobs/sha256:bad")).toMatchObject({ ...refused, status: "400" });
  expect(await counted("/v2/", { headers: { host: "a b" } })).toMatchObject({ ...refused, status: "400" });
  expect(await counted("/v2/", { method: "PUT" })).toMatchObject({ ...refused, status: "405" });
  const digest = server.mirror.addBlob(Buffer.from("0123456789"));
  const beyond = { headers: { range: "bytes=20-" } };
  expect(await counted(`/v2/a/blobs/${digest}`, beyond)).toMatchObject({ outcome: "refused", status: "416" });
});

test.each([
  ["upstream-unavailable", { outcome: "error", status: "502" }],
  ["digest-mismatch", { outcome: "error", status: "502" }],
  ["store-damaged", { outcome: "error", status: "500" }],
  ["rate-limited", { outcome: "refused", status: "429" }],
  ["denied", { outcome: "refused", status: "403" }],
  ["not-found", { outcome: "absent", status: "404" }],
] as const)("what the mirror says with %s is counted as %o", async (code, expected) => {
  const digest = server.mirror.addBlob(Buffer.from("0123456789"), {
    hook: () => Promise.reject(new GranaryError(code, "No.")),
  });
  expect(await counted(`/v2/a/blobs/${digest}`)).toMatchObject({ ...expected, upstream: "docker.io" });
});

test("an upstream that a client makes up never becomes a label", async () => {
  for (const name of ["evil.example", "u:SECRET@ghcr.io", "x".repeat(300)]) {
    await ask(server.hub, `/v2/a/b/manifests/1?ns=${name}`);
    await ask(server.hub, `/v2/${name}.io/a/b/manifests/1`);
    await ask(server.hub, "/v2/a/b/manifests/1", { headers: { host: `${name}:81` } });
    await ask(server.hub, `http://${name}/v2/a/b/manifests/1`);
  }
  const names = new Set((await server.metrics.requests.get()).values.map(({ labels }) => labels.upstream));
  // The one that has a configured host behind a login means that host.
  expect([...names].sort()).toEqual(["docker.io", "ghcr.io", "none"]);
});

test("bytes are counted while a body goes out, by upstream", async () => {
  let isAllowed = false;
  const digest = server.mirror.addBlob(patternBytes(7, 0, 3 * 2 ** 20), {
    hook: (offset) => (offset < 2 ** 20 ? Promise.resolve() : until(() => isAllowed)),
  });
  const socket = await openSocket(server.ollama);
  socket.resume();
  socket.write(`GET /v2/library/m/blobs/${digest} HTTP/1.1\r\nHost: x\r\n\r\n`);
  const sent = async () =>
    (await server.metrics.clientBytes.get()).values.find(({ labels }) => labels.kind === "blob");
  await expect.poll(sent).toMatchObject({ labels: { upstream: "registry.ollama.ai" }, value: 2 ** 20 });
  expect((await server.metrics.requests.get()).values).toEqual([]);
  isAllowed = true;
  await expect.poll(sent).toMatchObject({ value: 3 * 2 ** 20 });
  socket.destroy();
});
