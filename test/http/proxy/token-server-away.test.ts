/** Shows that a client which needs no login can pull what is stored while the token server is away to which its registry sends it. */
import { describe, expect, test } from "vitest";
import type { Fault } from "../../support/fake-registry.ts";
import { eventually } from "../../support/patience.ts";
import { secureThrough } from "../../support/proxied.ts";
import { startProxyWorld, trusted } from "../../support/proxy-world.ts";
import { registryThat } from "../../support/registry-that.ts";
import { startFake } from "../../support/start-upstream.ts";
import { upstreamOf } from "../../support/upstream-of.ts";
import { until } from "../../support/wire.ts";

/** A registry of which `library/a:1` was pulled through the proxy. */
async function pulledOnce() {
  const fake = await startFake({ mode: "hub", settings: { users: { alice: "wonderland" } } });
  const image = fake.addImage("library/a", "1", { layers: [1_000] });
  const proxy = await startProxyWorld([upstreamOf(fake, { name: fake.host })]);
  const at = (path: string, authorization?: string) =>
    proxy.ask(fake.host, path, authorization === undefined ? {} : { headers: { authorization } });
  const paths = ["manifests/1", ...image.layerDigests.map((digest) => `blobs/${digest}`)];
  const pull = async () => {
    const answers = await Promise.all(paths.map((path) => at(`/v2/library/a/${path}`)));
    return answers.map(({ status }) => status);
  };
  expect(await pull()).toEqual([200, 200]);
  const breakTokens = (fault: Fault) => fake.fail(/./, fault, { origin: "auth", times: 1_000 });
  return { fake, at, pull, breakTokens };
}

describe("while the token server", () => {
  test.each<[string, Fault]>([
    ["answers with failures", { kind: "status", status: 503 }],
    ["hangs up", { kind: "hang-up" }],
  ])("%s, a client without a login is led nowhere, and pulls", async (_, fault) => {
    const { at, pull, breakTokens } = await pulledOnce();
    breakTokens(fault);
    // On a busy machine it is known a moment after the first challenge was given on.
    await eventually(async () => expect((await at("/v2/")).status).toBe(200));
    expect(await pull()).toEqual([200, 200]);
    // Whoever shows a login hears of the registry itself what it is worth.
    expect((await at("/v2/", "Basic YTpi")).status).toBe(401);
  });

  test.each<[string, Fault]>([
    ["refuses us", { kind: "status", status: 403 }],
    ["limits us", { kind: "status", status: 429 }],
    ["knows no such path", { kind: "status", status: 404 }],
  ])("%s, it is there, and the challenge is given on", async (_, fault) => {
    const { at, breakTokens } = await pulledOnce();
    breakTokens(fault);
    const { status, headers } = await at("/v2/");
    expect([status, headers["www-authenticate"]]).toEqual([401, expect.stringContaining("Bearer realm=")]);
  });

  test("answers to nobody for long, the challenge is given on after some seconds", async () => {
    const { at, breakTokens } = await pulledOnce();
    breakTokens({ kind: "hang" });
    expect((await at("/v2/")).status).toBe(401);
  });
});

test.each([
  ["Basic", 'Basic realm="lab"'],
  ["of no address", 'Bearer realm="not an address"'],
  ["of two servers, one of which is there", "two"],
  [
    "of more servers than any registry has",
    Array(5).fill('Bearer realm="http://127.0.0.1:1/token"').join(", "),
  ],
])("a challenge %s is given on", async (_, text) => {
  const alive = await startFake({ mode: "hub" });
  const two = `Bearer realm="http://127.0.0.1:1/token", Bearer realm="${alive.authUrl}/token"`;
  const challenge = text === "two" ? two : text;
  const { name, upstream } = await registryThat((_, answer) => {
    answer.writeHead(401, { "www-authenticate": challenge }).end();
  });
  const { ask } = await startProxyWorld([upstream]);
  const { status, headers } = await ask(name, "/v2/");
  expect([status, headers["www-authenticate"]]).toEqual([401, challenge]);
});

/** A registry whose base answers with a challenge and a body that never ends, and a client that waits for it while its token server is looked for. */
async function lookedFor() {
  const silent = await startFake({ mode: "hub" });
  silent.fail(/./, { kind: "hang" }, { origin: "auth", times: 100 });
  const { name, upstream, server } = await registryThat((_, answer) => {
    answer.writeHead(401, {
      "www-authenticate": `Bearer realm="${silent.authUrl}/token"`,
      "content-length": 100,
    });
    answer.write("x");
  });
  const { port, world, lines } = await startProxyWorld([upstream]);
  const socket = await secureThrough(port, name, trusted);
  const closed = new Promise((resolve) => socket.on("error", () => undefined).once("close", resolve));
  // It is looked for until the test lets time pass.
  world.clock.holdsTimers = true;
  socket.resume().write(`GET /v2/ HTTP/1.1\r\nHost: ${name}\r\n\r\n`);
  await until(() => silent.matching({ origin: "auth" }).length > 0);
  const ended = () => lines.filter(({ msg, path }) => msg === "request" && path === "/v2/");
  return { socket, closed, server, ended, clock: world.clock };
}

test("a client that leaves while the token server is looked for ends its own question alone", async () => {
  const { socket, ended, clock } = await lookedFor();
  socket.destroy();
  clock.fireTimers();
  await eventually(() => expect(ended()).toHaveLength(1));
});

test("a registry that breaks off while its token server is looked for breaks that answer off alone", async () => {
  const { closed, server, ended, clock } = await lookedFor();
  server.closeAllConnections();
  clock.fireTimers();
  await closed;
  await eventually(() => expect(ended()).toHaveLength(1));
});
