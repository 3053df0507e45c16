/** Shows what clients get through the proxy: pulls by the registries' own names come from the cache, and all else passes unharmed. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type LookupFunction,
  type Socket,
} from "node:net";
import { text } from "node:stream/consumers";
import { createServer as createTlsServer } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { digestOf } from "../../../src/oci/digest.ts";
import { OCI_INDEX } from "../../../src/oci/media-types.ts";
import { eventually } from "../../support/patience.ts";
import { connectThrough, secureThrough } from "../../support/proxied.ts";
import { startProxyWorld, trusted } from "../../support/proxy-world.ts";
import { registryThat } from "../../support/registry-that.ts";
import { startFake } from "../../support/start-upstream.ts";
import { serverCert, serverKey } from "../../support/throwaway-tls.ts";
import { upstreamOf } from "../../support/upstream-of.ts";
import { ask, errorsOf, openSocket } from "../../support/wire.ts";

/** Where somebody speaks TLS with a certificate of an authority that Granary does not know. */
async function strangersPort(): Promise<number> {
  const server = createTlsServer({ cert: serverCert, key: serverKey });
  server.on("tlsClientError", (_, socket) => socket.destroy());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

function onLoopback(isAll: boolean, answer: Parameters<LookupFunction>[2]): void {
  const [address, family] = ["127.0.0.1", 4] as const;
  if (isAll) answer(null, [{ address, family }]);
  else answer(null, address, family);
}

function namedAs(fake: { readonly url: string; readonly authUrl: string; readonly host: string }, more = {}) {
  return upstreamOf(fake, { name: fake.host, ...more });
}

describe("pulls by the registry's own name", () => {
  test("a manifest and its blobs come from the cache, and each byte crosses once for ten clients", async () => {
    const fake = await startFake({ mode: "hub" });
    const image = fake.addImage("library/app", "1", { layers: [3_000_000] });
    const { ask: through, port } = await startProxyWorld([namedAs(fake)]);
    const [layer = ""] = image.layerDigests;
    const pull = async () => {
      const manifest = await through(fake.host, "/v2/library/app/manifests/1");
      expect(manifest.headers["docker-content-digest"]).toBe(image.manifestDigest);
      return (await through(fake.host, `/v2/library/app/blobs/${layer}`)).body.length;
    };
    expect(port).toBeGreaterThan(0);
    expect(await Promise.all(Array.from({ length: 10 }, pull))).toEqual(Array(10).fill(3_000_000));
    expect(fake.bytesSentFor(layer)).toBe(3_000_000);
  });

  test("the registry's own challenge reaches the client, and its token server is within reach", async () => {
    const fake = await startFake({ mode: "hub" });
    const connects: string[] = [];
    const world = await startProxyWorld([namedAs(fake)], {
      // Granary does not trust it; a client may.
      client: { lookup: (_, { all }, answer) => onLoopback(all === true, answer) },
      connect: async ({ host, port, isInternal }) => {
        connects.push(`${host}:${port} ${isInternal}`);
        const socket = connect(Number(new URL(fake.authUrl).port), "127.0.0.2");
        await once(socket, "connect");
        return socket;
      },
    });
    const place = `tokens.test:${await strangersPort()}`;
    fake.settings.realm = `https://${place}/token`;
    expect((await connectThrough(world.port, place)).head).toMatch(/^HTTP\/1.1 403 /);
    const base = await world.ask(fake.host, "/v2/");
    expect(base.status).toBe(401);
    expect(base.headers["www-authenticate"]).toContain(fake.settings.realm);
    const { head, socket } = await connectThrough(world.port, place);
    expect(head).toMatch(/^HTTP\/1.1 200 /);
    expect(connects).toEqual([`${place} true`]);
    socket.destroy();
  });

  test("a repository whose name begins with another upstream's is one of the addressed registry", async () => {
    const [fake, other] = [await startFake({ mode: "plain" }), await startFake({ mode: "plain" })];
    const image = fake.addImage("quay.io/app", "1", { layers: [1_000] });
    const named = { ...upstreamOf(other), name: "quay.io" };
    const { ask: through } = await startProxyWorld([namedAs(fake), named]);
    const answer = await through(fake.host, "/v2/quay.io/app/manifests/1?ns=quay.io");
    expect(answer.headers["docker-content-digest"]).toBe(image.manifestDigest);
    expect(other.requests).toEqual([]);
  });

  test("what is stored is pulled while the registry is gone, by clients that ask for no login", async () => {
    const fake = await startFake({ mode: "hub" });
    const image = fake.addImage("library/app", "1", { layers: [1_000] });
    const { ask: through } = await startProxyWorld([namedAs(fake)]);
    await through(fake.host, "/v2/library/app/manifests/1");
    await through(fake.host, `/v2/library/app/blobs/${image.layerDigests[0]}`);
    await fake.pause();
    expect((await through(fake.host, "/v2/")).status).toBe(200);
    expect((await through(fake.host, "/v2/library/app/manifests/1")).status).toBe(200);
    expect((await through(fake.host, `/v2/library/app/blobs/${image.layerDigests[0]}`)).body.length).toBe(
      1_000,
    );
    // A login cannot be checked now, and is not said to be right.
    const login = await through(fake.host, "/v2/", { headers: { authorization: "Basic dTpw" } });
    expect(login.status).toBeGreaterThanOrEqual(500);
    await fake.resume();
  });

  test("what is stored is pulled while the registry answers with failures of its own, and they are no login's success", async () => {
    const body = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] });
    let status = 200;
    const { name, upstream } = await registryThat((incoming, answer) => {
      answer.writeHead(status, {
        "content-type": OCI_INDEX,
        "docker-content-digest": digestOf(Buffer.from(body)),
      });
      answer.end(incoming.method === "HEAD" ? undefined : body);
    });
    const { ask: through } = await startProxyWorld([upstream]);
    await through(name, "/v2/app/manifests/1");
    for (status of [503, 500, 429]) {
      expect((await through(name, "/v2/")).status, String(status)).toBe(200);
      expect((await through(name, "/v2/app/manifests/1")).body.toString()).toBe(body);
      const login = await through(name, "/v2/", { headers: { authorization: "Basic dTpw" } });
      expect(login.status).toBe(status);
    }
  });

  test("what the cache does not have is the registry's own to answer", async () => {
    const { name, upstream } = await registryThat(({ url }, answer) => {
      answer.setHeader("x-registry", "itself");
      answer.statusCode = url === "/v2/app/manifests/absent" ? 404 : 200;
      answer.end(`you asked for ${url}`);
    });
    const { ask: through } = await startProxyWorld([upstream]);
    for (const path of ["/v2/_catalog?n=5", "/api/v2.0/projects?q=%2Fx//y", "/"]) {
      const answer = await through(name, path);
      expect(answer.body.toString()).toBe(`you asked for ${path}`);
      expect(answer.headers["x-registry"]).toBe("itself");
    }
    const absent = await through(name, "/v2/app/manifests/absent");
    expect([absent.status, absent.headers["x-registry"]]).toEqual([404, "itself"]);
  });
});

describe("what passes through", () => {
  test("uploads of any size arrive as they were sent, over one PATCH without a length", async () => {
    const size = 32 * 2 ** 20;
    const seen: { hash?: string; headers?: IncomingMessage["headers"]; method?: string } = {};
    const { name, upstream } = await registryThat(async (incoming, answer) => {
      const hash = createHash("sha256");
      for await (const chunk of incoming) hash.update(chunk as Buffer);
      Object.assign(seen, { hash: hash.digest("hex"), headers: incoming.headers, method: incoming.method });
      answer.writeHead(202, {
        location: `http://${incoming.headers.host}/v2/app/blobs/uploads/7?_state=a%2Fb`,
        range: "0-1",
      });
      answer.end();
    });
    const { ask: through } = await startProxyWorld([upstream]);
    const expected = createHash("sha256");
    async function* body() {
      for (let at = 0; at < size; at += 2 ** 20) {
        const chunk = Buffer.alloc(2 ** 20, at / 2 ** 20);
        expected.update(chunk);
        yield chunk;
      }
    }
    const answer = await through(name, "/v2/app/blobs/uploads/7", {
      method: "PATCH",
      headers: { authorization: "Bearer mine", "transfer-encoding": "chunked" },
      body: body(),
    });
    expect(answer.status).toBe(202);
    expect(answer.headers.location).toBe(`https://${name}/v2/app/blobs/uploads/7?_state=a%2Fb`);
    expect(seen.method).toBe("PATCH");
    expect(seen.hash).toBe(expected.digest("hex"));
    expect(seen.headers?.authorization).toBe("Bearer mine");
  });

  test("who has pushed a tag is never given what it meant before", async () => {
    let pushed = "one";
    const manifest = () =>
      JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], annotations: { pushed } });
    const { name, upstream } = await registryThat(async (incoming, answer) => {
      const isPush = incoming.method === "PUT";
      if (isPush) pushed = await text(incoming);
      const body = Buffer.from(manifest());
      const isRefused = pushed === "refused";
      answer.writeHead(isPush ? (isRefused ? 403 : 201) : 200, {
        "content-type": OCI_INDEX,
        "docker-content-digest": digestOf(body),
        "content-length": isPush ? 0 : body.length,
      });
      answer.end(isPush ? undefined : body);
    });
    const { ask: through } = await startProxyWorld([upstream]);
    const pull = async () => (await through(name, "/v2/app/manifests/1")).body.toString();
    const push = async (what: string) =>
      (await through(name, "/v2/app/manifests/1", { method: "PUT", body: what })).status;
    expect(await pull()).toContain('"one"');
    expect(await push("two")).toBe(201);
    expect(await pull()).toContain('"two"');
    // A refused one has changed nothing at a real registry; this one shows that it was not asked again.
    expect(await push("refused")).toBe(403);
    expect(await pull()).toContain('"two"');
  });

  test("who has pushed a tag waits for no answer that was on its way before", async () => {
    let now = "one";
    const held = Promise.withResolvers<void>();
    let isHeld = false;
    const asked: string[] = [];
    const { name, upstream } = await registryThat(async (incoming, answer) => {
      if (incoming.method === "PUT") {
        now = await text(incoming);
        return answer.writeHead(201).end();
      }
      const body = Buffer.from(
        JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], annotations: { now } }),
      );
      asked.push(now);
      // The answer of now, which takes its time.
      if (isHeld && now === "one") await held.promise;
      answer.writeHead(200, {
        "content-type": OCI_INDEX,
        "docker-content-digest": digestOf(body),
        "content-length": body.length,
      });
      answer.end(incoming.method === "HEAD" ? undefined : body);
    });
    const { ask: through, world } = await startProxyWorld([upstream]);
    const pull = async () => (await through(name, "/v2/app/manifests/1")).body.toString();
    expect(await pull()).toContain('"one"');
    world.clock.aheadMs += 60 * 60_000;
    isHeld = true;
    const early = pull();
    await eventually(() => expect(asked.length).toBeGreaterThan(1));
    expect((await through(name, "/v2/app/manifests/1", { method: "PUT", body: "two" })).status).toBe(201);
    expect(await pull()).toContain('"two"');
    held.resolve();
    await early;
    expect(await pull()).toContain('"two"');
  });

  test("what was looked for before it was pushed crosses once after that", async () => {
    const layer = Buffer.alloc(50_000, "layer");
    const [digest, path] = [digestOf(layer), `/v2/app/blobs/${digestOf(layer)}`];
    let isThere = false;
    let sent = 0;
    const { name, upstream } = await registryThat(({ method, url }, answer) => {
      if (method === "PUT") isThere = true;
      if (method === "PUT") return void answer.writeHead(201).end();
      if (!isThere || url !== path) return void answer.writeHead(404).end();
      if (method === "GET") sent += layer.length;
      answer.writeHead(200, { "content-length": layer.length, "docker-content-digest": digest });
      answer.end(method === "GET" ? layer : undefined);
    });
    const { ask: through } = await startProxyWorld([upstream]);
    expect((await through(name, path, { method: "HEAD" })).status).toBe(404);
    await through(name, "/v2/app/manifests/1", { method: "PUT", body: "{}" });
    for (const _ of [1, 2]) expect((await through(name, path)).body.length).toBe(50_000);
    expect(sent).toBe(50_000);
  });

  test("uploads one after another on one connection, to a registry that reads slowly, leave nothing behind on it", async () => {
    const warnings: string[] = [];
    const hear = ({ name }: Error) => void warnings.push(name);
    process.on("warning", hear);
    onTestFinished(() => void process.off("warning", hear));
    const { name, upstream } = await registryThat(async (incoming, answer) => {
      let taken = 0;
      for await (const chunk of incoming) {
        taken += (chunk as Buffer).length;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      answer.writeHead(201, { "x-taken": String(taken) }).end();
    });
    const { port } = await startProxyWorld([upstream]);
    const socket = await secureThrough(port, name, trusted);
    const size = 2 ** 20;
    for (let upload = 1; upload <= 16; upload++) {
      socket.write(
        `PUT /v2/app/blobs/uploads/7 HTTP/1.1\r\nHost: ${name}\r\nContent-Length: ${size}\r\n\r\n`,
      );
      socket.write(Buffer.alloc(size));
      const [answer] = await once(socket, "data");
      expect(String(answer)).toContain(`x-taken: ${size}`);
    }
    socket.destroy();
    expect(warnings).not.toContain("MaxListenersExceededWarning");
  });

  test("a client's login goes to the registry that it addressed, and into no log", async () => {
    const logins: (string | undefined)[] = [];
    const { name, upstream } = await registryThat(({ headers }, answer) => {
      logins.push(headers.authorization);
      answer.writeHead(401, { "www-authenticate": 'Basic realm="here"' }).end();
    });
    const other = await startFake({ mode: "plain" });
    const { ask: through, lines } = await startProxyWorld([upstream, namedAs(other)]);
    const answer = await through(name, "/v2/app/manifests/1", {
      headers: { authorization: "Bearer a-secret-of-mine", "proxy-authorization": "Basic another-secret" },
    });
    expect([answer.status, answer.headers["www-authenticate"]]).toEqual([401, 'Basic realm="here"']);
    expect(logins).toContain("Bearer a-secret-of-mine");
    expect(other.requests).toEqual([]);
    expect(JSON.stringify(lines)).not.toMatch(/a-secret-of-mine|another-secret/);
  });

  test("a request that changes the protocol is a tunnel to the registry from then on", async () => {
    const { name, upstream } = await registryThat(
      (_, answer) => answer.end(),
      (server) =>
        server.on("upgrade", (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
          socket.unshift(head);
          socket.write(
            `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${incoming.headers.upgrade}\r\nConnection: Upgrade\r\n\r\n`,
          );
          socket.pipe(socket);
        }),
    );
    const { port } = await startProxyWorld([upstream]);
    const socket = await secureThrough(port, name, trusted);
    socket.write(`GET /events HTTP/1.1\r\nHost: ${name}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`);
    socket.end("and this comes back");
    const answer = await text(socket);
    expect(answer).toMatch(/^HTTP\/1.1 101 .*Upgrade: echo/s);
    expect(answer).toContain("and this comes back");
  });

  test("content comes from the cache also where a client would rather speak another protocol", async () => {
    const fake = await startFake({ mode: "plain" });
    const image = fake.addImage("app", "1", { layers: [1_000] });
    const { port, ask: through } = await startProxyWorld([namedAs(fake)]);
    const path = `/v2/app/blobs/${image.layerDigests[0]}`;
    await through(fake.host, path);
    const socket = await secureThrough(port, fake.host, trusted);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n`);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 /);
    expect(fake.bytesSentFor(image.layerDigests[0] ?? "")).toBe(1_000);
  });

  test("a body that the registry does not want gets its refusal, not a broken connection", async () => {
    const { name, upstream } = await registryThat((_, answer) => answer.writeHead(413).end("too large"));
    const { ask: through } = await startProxyWorld([upstream]);
    const answer = await through(name, "/v2/app/blobs/uploads/", {
      method: "POST",
      body: Buffer.alloc(8 * 2 ** 20),
    });
    expect([answer.status, answer.body.toString()]).toEqual([413, "too large"]);
  });

  test("headers arrive as they were sent, also such as are no ASCII and such as come twice", async () => {
    const { name, upstream } = await registryThat(({ rawHeaders }, answer) => {
      answer.writeHead(200, [
        "x-name",
        "M\u00c3\u00bcller",
        "x-twice",
        "1",
        "x-twice",
        "2",
        "set-cookie",
        "a=b",
      ]);
      answer.end(JSON.stringify(rawHeaders.map((each) => each.toLowerCase())));
    });
    const { ask: through } = await startProxyWorld([upstream]);
    const { headers, body } = await through(name, "/api/x", {
      headers: { "x-mine": "caf\u00e9", accept: "a, b", connection: "close, x-hop", "x-hop": "not on" },
    });
    expect(headers).toMatchObject({
      "x-name": "M\u00c3\u00bcller",
      "x-twice": "1, 2",
      "set-cookie": ["a=b"],
    });
    const sent: string[] = JSON.parse(body.toString());
    expect(sent).toEqual(expect.arrayContaining(["x-mine", "caf\u00e9", "accept", "a, b"]));
    expect(sent).not.toContain("x-hop");
  });

  test("a registry's answer that is cut off is cut off for the client too", async () => {
    const { name, upstream } = await registryThat((_, answer) => {
      answer.writeHead(200, { "content-length": "1000" });
      answer.write("only this", () => answer.destroy());
    });
    const { ask: through } = await startProxyWorld([upstream]);
    await expect(through(name, "/api/report")).rejects.toThrow();
  });
});

describe("other hosts", () => {
  const echo = async () => {
    const server = createTcpServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    return async () => {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      await once(socket, "connect");
      return socket;
    };
  };

  test("are refused with one sentence, which stands in the status line too", async () => {
    const fake = await startFake({ mode: "plain" });
    const { port } = await startProxyWorld([namedAs(fake)]);
    const { head } = await connectThrough(port, "example.com:443");
    expect(head).toMatch(/^HTTP\/1.1 403 Forbidden.*example\.com:443.*proxy\.tunnel/);
  });

  test("are tunnelled byte for byte where the setting allows, with what came early and each end by itself", async () => {
    const fake = await startFake({ mode: "plain" });
    const { port } = await startProxyWorld([namedAs(fake)], {
      tunnel: ["*.example.com"],
      connect: await echo(),
    });
    const early = Buffer.alloc(5_000, "early");
    const { head, socket } = await connectThrough(port, "a.example.com:443", early);
    expect(head).toMatch(/^HTTP\/1.1 200 /);
    const sent = Buffer.concat([early, Buffer.alloc(3_000_000, "later")]);
    socket.end(sent.subarray(early.length));
    const chunks: Buffer[] = [Buffer.from(head.slice(head.indexOf("\r\n\r\n") + 4), "latin1")];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).equals(sent)).toBe(true);
    expect((await connectThrough(port, "example.org:443")).head).toMatch(/^HTTP\/1.1 403 /);
    expect((await connectThrough(port, "a.example.com:25")).head).toMatch(/^HTTP\/1.1 403 /);
  });

  test("are never reached at an address that the guard refuses, whatever the setting", async () => {
    const fake = await startFake({ mode: "plain" });
    const { port } = await startProxyWorld([namedAs(fake)], {
      tunnel: ["localhost:22", "127.0.0.1:80", "169.254.169.254:80"],
    });
    for (const authority of ["localhost:22", "127.0.0.1:80", "169.254.169.254:80"])
      expect((await connectThrough(port, authority)).head).toMatch(
        /^HTTP\/1.1 403 Forbidden.*[Rr]efused to connect/,
      );
  });

  test("a CONNECT that names no host and port is refused, and the process goes on", async () => {
    const fake = await startFake({ mode: "plain" });
    const { port } = await startProxyWorld([namedAs(fake)]);
    for (const authority of [
      "example.com",
      ":443",
      "a b:443",
      "x:0",
      "x:99999",
      "[::1:443",
      `${"a".repeat(300)}:443`,
    ])
      expect((await connectThrough(port, authority)).head).toMatch(/^HTTP\/1.1 400 /);
    const direct = await ask(port, "/v2/");
    expect(direct.status).toBe(403);
    expect(errorsOf(direct)[0]?.message).toContain("HTTPS_PROXY");
    expect((await ask(port, "/healthz")).status).toBe(200);
  });
});

describe("under load and at the end", () => {
  test("a thousand CONNECTs at once are all answered, and each pull is right", async () => {
    const fake = await startFake({ mode: "plain" });
    const image = fake.addImage("app", "1", { layers: [100_000] });
    const { ask: through, port } = await startProxyWorld([namedAs(fake)]);
    const pulls = Array.from({ length: 1_000 }, async (_, index) => {
      if (index % 4 !== 3) return (await connectThrough(port, "example.com:443")).head.slice(0, 12);
      return (await through(fake.host, `/v2/app/blobs/${image.layerDigests[0]}`)).body.length;
    });
    const answers = await Promise.all(pulls);
    expect(answers.filter((each) => each === 100_000)).toHaveLength(250);
    expect(answers.filter((each) => each === "HTTP/1.1 403")).toHaveLength(750);
    expect(fake.bytesSentFor(image.layerDigests[0] ?? "")).toBe(100_000);
  });

  test("a client that sends a CONNECT and nothing else, or no TLS, holds nobody and nothing", async () => {
    const fake = await startFake({ mode: "plain" });
    const { port, ask: through } = await startProxyWorld([namedAs(fake)]);
    const { socket: silent } = await connectThrough(port, fake.host);
    const { socket: wrong } = await connectThrough(port, fake.host);
    wrong.write("this is no TLS at all\r\n\r\n");
    await once(wrong.resume(), "close");
    expect((await through(fake.host, "/v2/")).status).toBe(200);
    silent.destroy();
  });

  test("closing ends idle connections at once, and lets an answer under way go on", async () => {
    const { name, upstream } = await registryThat((_, answer) => {
      answer.write("begun,");
      setTimeout(() => answer.end(" done"), 300);
    });
    const { port, serving } = await startProxyWorld([upstream], { drainMs: 20_000 });
    const idle = await secureThrough(port, name, trusted);
    idle.write(`GET /api HTTP/1.1\r\nHost: ${name}\r\n\r\n`);
    await eventually(() => expect(idle.read()?.toString() ?? "").toContain(" done"));
    const busy = await secureThrough(port, name, trusted);
    busy.write(`GET /api HTTP/1.1\r\nHost: ${name}\r\n\r\n`);
    await once(busy, "readable");
    const ended = once(idle.resume(), "close");
    const closing = serving.close();
    expect(await text(busy)).toContain(" done");
    await ended;
    await closing;
    await expect(openSocket(port)).rejects.toThrow();
  });

  test("settings change it while it runs: a name that is gone is refused, and a tunnel that is allowed goes", async () => {
    const fake = await startFake({ mode: "plain" });
    const other = await startFake({ mode: "plain" });
    const { port, serving, settings } = await startProxyWorld([namedAs(fake), namedAs(other)]);
    (await secureThrough(port, other.host, trusted)).destroy();
    const next = { ...settings, upstreams: settings.upstreams.slice(0, 1) };
    const change = await serving.reloadPart.prepare(next, false);
    change.apply();
    expect((await connectThrough(port, other.host)).head).toMatch(/^HTTP\/1.1 403 /);
    (await secureThrough(port, fake.host, trusted)).destroy();
    const gone = await serving.reloadPart.prepare({ ...settings, proxy: undefined } as never, false);
    gone.apply();
    await eventually(async () => await expect(openSocket(port)).rejects.toThrow());
  });
});

test("a proxy that the internet can reach is warned of, one on this machine is not", async () => {
  const fake = await startFake({ mode: "plain" });
  const { lines, serving, settings } = await startProxyWorld([namedAs(fake)]);
  const warnings = () => lines.filter(({ msg }) => String(msg).includes("open to the internet"));
  expect(warnings()).toEqual([]);
  const everywhere = { ...settings, proxy: { port: 0, host: "0.0.0.0", tunnel: "none" as const } };
  (await serving.reloadPart.prepare(everywhere, false)).apply();
  expect(warnings()).toHaveLength(1);
});

describe("rules", () => {
  test("what is denied is not to be had through the registry either, however the path is written", async () => {
    const asked: string[] = [];
    const { name, upstream } = await registryThat(({ url = "" }, answer) => {
      asked.push(url);
      answer.end("secret");
    });
    const { ask: through, world, port } = await startProxyWorld([upstream]);
    await world.mirror.passage.change("deny", `${name}/app`, { isTrial: false, isRemoval: false });
    for (const path of ["/v2/app/manifests/1", "/events"]) {
      const socket = await secureThrough(port, name, trusted);
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: ${name}\r\nConnection: Upgrade, close\r\nUpgrade: echo\r\n\r\n`,
      );
      expect(await text(socket), path).toMatch(/^HTTP\/1\.1 403 /);
    }
    for (const path of [
      "/v2/app/manifests/1",
      "/v2/app%2Fmanifests%2F1",
      "//v2/app/manifests/1",
      "/v2//app/manifests/1",
    ]) {
      expect((await through(name, path)).status, path).toBeGreaterThanOrEqual(400);
      expect(
        (await through(name, path, { body: "x", headers: { "content-length": "1" } })).status,
      ).toBeGreaterThanOrEqual(400);
    }
    expect(asked).toEqual([]);
  });
});
