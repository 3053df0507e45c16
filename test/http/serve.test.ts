/** Shows the listeners themselves: what comes over a bare connection, logins, what is logged, ports that are taken, and the end. */
import { get } from "node:https";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { plainUpstream } from "../../src/config/defaults.ts";
import { serve } from "../../src/http/serve.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { freePort } from "../support/free-ports.ts";
import { MemoryMirror } from "../support/memory-mirror.ts";
import { patternBytes } from "../support/pattern.ts";
import { type MemoryServer, serveMemory } from "../support/serve-memory.ts";
import { caPem, serverCert, serverKey } from "../support/throwaway-tls.ts";
import { ask, errorsOf, openSocket, sendRaw, until } from "../support/wire.ts";

let server: MemoryServer;
beforeEach(async () => {
  server = await serveMemory();
});
afterEach(() => server.close());

describe("a bare connection", () => {
  test("that begins TLS hears HTTP/1.1 400, which makes clients try plain http", async () => {
    const hello = Buffer.from("16030100c4010000c00303", "hex");
    expect(await sendRaw(server.hub, hello)).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("that asks for a tunnel hears 405 and is closed", async () => {
    const answer = await sendRaw(
      server.hub,
      "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 405 /);
    expect(answer).toContain("Connection: close");
  });

  test("stays open between requests, for longer than Go keeps it", async () => {
    const { headers } = await ask(server.hub, "/v2/", { headers: { connection: "keep-alive" } });
    expect(headers["keep-alive"]).toBe("timeout=95");
  });

  test("of HTTP/1.0 without a Host is answered", async () => {
    expect(await sendRaw(server.hub, "GET /v2/ HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 /);
  });

  test("with a Host that no URL can hold hears a 400 in JSON", async () => {
    const answer = await sendRaw(server.hub, "GET /v2/ HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('{"errors":[{"code":"NAME_INVALID"');
  });

  test("is one of 128 at once, each served", async () => {
    const digest = server.mirror.addBlob(patternBytes(1, 0, 300_000));
    const answers = await Promise.all(
      Array.from({ length: 128 }, () => ask(server.ollama, `/v2/library/m/blobs/${digest}`)),
    );
    expect(answers.every(({ status, body }) => status === 200 && body.byteLength === 300_000)).toBe(true);
  });
});

describe("what operators ask", () => {
  test("alive, ready and the metrics are on every listener (item 6)", async () => {
    for (const port of [server.hub, server.ollama]) {
      expect((await ask(port, "/healthz")).status).toBe(200);
      expect((await ask(port, "/readyz")).status).toBe(200);
      const metrics = await ask(port, "/metrics");
      expect(metrics.headers["content-type"]).toContain("text/plain");
      expect(metrics.body.toString()).toContain("granary_requests_total");
    }
  });

  test("trouble with the store is told, and is no reason to send clients elsewhere", async () => {
    server.mirror.troubles = ["The disk is full of other things: free some space."];
    const answer = await ask(server.hub, "/readyz");
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body.toString())).toEqual({
      status: "degraded",
      troubles: ["The disk is full of other things: free some space."],
    });
  });

  test("not ready is a 503 with the reason", async () => {
    server.mirror.statusFailure = new Error("the database is gone");
    const answer = await ask(server.hub, "/readyz");
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body.toString())).toEqual({
      status: "not ready",
      troubles: ["the database is gone"],
    });
    expect((await ask(server.hub, "/metrics")).status).toBe(503);
    expect((await ask(server.hub, "/healthz")).status).toBe(200);
  });

  test("is ours only in origin form", async () => {
    expect((await ask(server.hub, "http://registry.ollama.ai/metrics")).status).toBe(404);
    expect((await ask(server.hub, "/x/../healthz")).status).toBe(400);
  });
});

describe("a listener with a login", () => {
  const login = { username: "ann", password: "s3cret:with colon" };
  const authorization = `Basic ${Buffer.from("ann:s3cret:with colon").toString("base64")}`;

  test("challenges by Basic on all routes but health, and warns of Docker's habit", async () => {
    await using guarded = await serveMemory({ login });
    guarded.mirror.addManifest("docker.io/library/alpine", ["3"], "{}");
    for (const path of ["/v2/", "/v2/alpine/manifests/3", "/v2/_catalog", "/metrics"]) {
      const answer = await ask(guarded.hub, path);
      expect(answer.status, path).toBe(401);
      expect(answer.headers["www-authenticate"]).toMatch(/^Basic realm="/);
      expect(errorsOf(answer)[0]?.code).toBe("UNAUTHORIZED");
    }
    expect((await ask(guarded.hub, "/healthz")).status).toBe(200);
    expect(guarded.lines).toContainEqual(expect.objectContaining({ level: "warn", port: guarded.hub }));
  });

  test("serves whoever knows it, as logged in", async () => {
    await using guarded = await serveMemory({ login });
    guarded.mirror.addManifest("docker.io/library/alpine", ["3"], "{}");
    const answer = await ask(guarded.hub, "/v2/alpine/manifests/3", { headers: { authorization } });
    expect(answer.status).toBe(200);
    // Its login is for Granary, and no registry hears of it.
    expect(guarded.mirror.asked[0]?.asker).toMatchObject({ loggedIn: true, authorization: undefined });
  });

  test.each([
    "Basic",
    "Basic !!!",
    `Basic ${btoa("ann:wrong")}`,
    `Basic ${btoa("ann")}`,
    `Bearer ${btoa("ann:s3cret:with colon")}`,
  ])("refuses %s", async (wrong) => {
    await using guarded = await serveMemory({ login });
    expect((await ask(guarded.hub, "/v2/", { headers: { authorization: wrong } })).status).toBe(401);
  });
});

describe("the log", () => {
  test("has one line per request, and no secret in it", async () => {
    server.mirror.addManifest("docker.io/library/alpine", ["3"], "{}");
    const headers = {
      authorization: "Basic c2VjcmV0LTE=",
      cookie: "secret-2",
      "proxy-authorization": "secret-3",
    };
    await ask(server.hub, "/v2/alpine/manifests/3?token=secret-4", { headers });
    await ask(server.hub, "http://user:secret-5@docker.io/v2/alpine/manifests/3", { headers });
    await ask(server.hub, "/v2/alpine/manifests/3?ns=secret-6.example", { headers });
    await until(() => server.lines.filter(({ msg }) => msg === "request").length === 3);
    const [first] = server.lines.filter(({ msg }) => msg === "request");
    expect(first).toMatchObject({
      method: "GET",
      path: "/v2/alpine/manifests/3",
      status: 200,
      bytes: 2,
      outcome: "hit",
      upstream: "docker.io",
      client: "127.0.0.1",
      ms: expect.any(Number),
    });
    const text = JSON.stringify(server.lines);
    for (const secret of ["c2VjcmV0LTE=", "secret-2", "secret-3", "secret-4", "secret-5"]) {
      expect(text).not.toContain(secret);
    }
  });
});

describe("listening", () => {
  const listener = { host: "127.0.0.1", upstream: "docker.io", login: undefined, tls: undefined };
  const observers = () => ({ log: silentLog, metrics: createMetrics(), clock: systemClock });

  test("on a port that is taken is one clear error, and nothing stays half-started", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const port = (taken.address() as { port: number }).port;
    const free = await freePort();
    const listeners = [
      { ...listener, port: free },
      { ...listener, port },
    ];
    const settings = { listeners, upstreams: [plainUpstream("docker.io")], drainMs: 0 };
    await expect(serve(settings, new MemoryMirror(), observers())).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringContaining(`port ${port}`),
    });
    await expect(openSocket(free)).rejects.toThrow();
    await new Promise((resolve) => taken.close(resolve));
  });
});

describe("a listener with a certificate", () => {
  const listener = { host: "127.0.0.1", upstream: "docker.io", login: undefined, port: 0 };
  const settings = { upstreams: [plainUpstream("docker.io")], drainMs: 0 };
  const observers = { log: silentLog, metrics: createMetrics(), clock: systemClock };

  test("speaks https", async () => {
    const tls = { cert: serverCert, key: serverKey };
    const serving = await serve(
      { ...settings, listeners: [{ ...listener, tls }] },
      new MemoryMirror(),
      observers,
    );
    const [{ url } = { url: "" }] = serving.listeners;
    expect(url).toMatch(/^https:/);
    const status = await new Promise((resolve, reject) => {
      get(`${url}/v2/`, { ca: caPem, agent: false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      }).on("error", reject);
    });
    expect(status).toBe(200);
    await serving.close();
  });

  test("that cannot be used is one clear error", async () => {
    const tls = { cert: serverCert, key: "no key" };
    const started = serve({ ...settings, listeners: [{ ...listener, tls }] }, new MemoryMirror(), observers);
    await expect(started).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringContaining("port 0"),
    });
  });
});

describe("the end", () => {
  const big = patternBytes(5, 0, 2 ** 20);

  test("takes no more connections, and closes idle ones at once", async () => {
    const idle = await openSocket(server.hub);
    idle.write("GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n");
    await new Promise((resolve) => idle.once("data", resolve));
    const closed = new Promise((resolve) => idle.once("close", resolve));
    await server.close();
    await closed;
    await expect(openSocket(server.hub)).rejects.toThrow();
  });

  test("lets a body in flight finish", async () => {
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    // One buffer holds 1 MiB: the second half needs a second read, which waits.
    const bigger = Buffer.concat([big, big]);
    const digest = server.mirror.addBlob(bigger, { hook: async (offset) => (offset > 0 ? gate : undefined) });
    const answer = ask(server.hub, `/v2/org/x/blobs/${digest}`, { headers: { connection: "keep-alive" } });
    await until(() => server.mirror.readers === 1);
    const closing = server.close();
    go();
    expect((await answer).body.equals(bigger)).toBe(true);
    await closing;
  });

  test("cuts what goes on for longer than drainMs", async () => {
    const clock = new FakeClock();
    await using slow = await serveMemory({ clock, drainMs: 5_000 });
    const bigger = Buffer.concat([big, big]);
    const digest = slow.mirror.addBlob(bigger, {
      hook: (offset) => (offset > 0 ? new Promise(() => undefined) : Promise.resolve()),
    });
    const answer = ask(slow.hub, `/v2/org/x/blobs/${digest}`);
    await until(() => slow.mirror.readers === 1);
    const closing = slow.close();
    await clock.advance(4_999);
    expect(slow.mirror.readers).toBe(1);
    await clock.advance(1);
    await closing;
    expect((await answer).isComplete).toBe(false);
    await until(() => slow.mirror.readers === 0 && slow.mirror.pins === 0);
  });
});
