/** Shows what clients get whose DNS leads the names of registries here, and that Granary notices when its own DNS does so too. */
import { once } from "node:events";
import type { RequestListener } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { describe, expect, test } from "vitest";
import { plainUpstream } from "../../../src/config/defaults.ts";
import type { Upstream } from "../../../src/upstream/policy.ts";
import { freePort } from "../../support/free-ports.ts";
import { askNamed, startNamedWorld } from "../../support/named-world.ts";
import { registryThat } from "../../support/registry-that.ts";
import { startFake } from "../../support/start-upstream.ts";
import { upstreamOf } from "../../support/upstream-of.ts";
import { ask, errorsOf } from "../../support/wire.ts";

const LOCAL = ["127.0.0.1"];

function named(name: string, fake: { readonly url: string; readonly authUrl: string }): Upstream {
  const [host = ""] = name.split(":");
  return upstreamOf(fake, { name, endpoints: [`http://${host}:${new URL(fake.url).port}`] });
}

/** A registry that says what a test lets it say, and echoes what comes over an upgraded connection; reached as `host`. */
async function echoingRegistry(answer: RequestListener) {
  const { upstream, port } = await registryThat(answer, (server) => {
    server.on("upgrade", (_, socket, head) => {
      socket.unshift(head);
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n");
      socket.pipe(socket);
    });
  });
  return (name: string, host: string): Upstream => ({
    ...upstream,
    name,
    endpoints: [`http://${host}:${port}`],
  });
}

async function twoRegistries() {
  const [one, two, port] = [
    await startFake({ mode: "plain" }),
    await startFake({ mode: "plain" }),
    await freePort(),
  ];
  const names = [`one.test:${port}`, `two.test:${port}`] as const;
  const upstreams = [named(names[0], one), named(names[1], two)];
  const dns = { "one.test": LOCAL, "two.test": LOCAL };
  return { one, two, names, granary: await startNamedWorld({ port, upstreams, dns }) };
}

describe("a listener by the names of registries", () => {
  test("shows each name its own certificate, and answers from that registry's cache", async () => {
    const { one, two, names, granary } = await twoRegistries();
    const images = [one, two].map((fake) => fake.addImage("org/app", "1", { layers: [100_000] }));
    for (const [index, name] of names.entries()) {
      const manifest = await askNamed(granary, name, "/v2/org/app/manifests/1");
      expect(manifest.headers["docker-content-digest"]).toBe(images[index]?.manifestDigest);
    }
    const [layer = ""] = images[0]?.layerDigests ?? [];
    for (let pull = 0; pull < 3; pull++)
      expect((await askNamed(granary, names[0], `/v2/org/app/blobs/${layer}`)).body).toHaveLength(100_000);
    expect(one.bytesSentFor(layer)).toBe(100_000);
    expect(granary.dns.asked).toEqual(expect.arrayContaining(["one.test", "two.test"]));
  });

  test("answers for the Host of the request, also on a connection that was made by another name", async () => {
    const { two, names, granary } = await twoRegistries();
    const image = two.addImage("org/app", "1", { layers: [10] });
    const answer = await askNamed(granary, names[1], "/v2/org/app/manifests/1", { servername: "one.test" });
    expect(answer.headers["docker-content-digest"]).toBe(image.manifestDigest);
    const other = await askNamed(granary, "three.test", "/v2/", { servername: "one.test" });
    expect(other.status).toBe(421);
    expect(other.body.toString()).toContain("no upstream");
  });

  test("refuses handshakes for other names and for none with an alert, and goes on", async () => {
    const { names, granary } = await twoRegistries();
    const handshake = async (servername: string) => {
      const socket = connectTls({ host: "127.0.0.1", port: granary.port, servername, ca: granary.ca });
      const [error] = await once(socket, "error");
      return String(error.code);
    };
    expect(await handshake("github.com")).toMatch(/ALERT/);
    expect(await handshake("")).toMatch(/ALERT/);
    const plain = connect(granary.port, "127.0.0.1");
    plain.on("error", () => undefined).end("GET /v2/ HTTP/1.1\r\n\r\n");
    await once(plain.resume(), "close");
    expect((await askNamed(granary, names[0], "/v2/")).status).toBe(200);
  });

  test("hands pushes, logins and changes of the protocol through to the registry", async () => {
    const seen: string[] = [];
    const port = await freePort();
    const name = `registry.test:${port}`;
    const upstream = await echoingRegistry(async (incoming, answer) => {
      const { authorization, via } = incoming.headers;
      seen.push(`${incoming.method} ${authorization} ${await text(incoming)}`, `${via}`);
      answer.writeHead(202, { location: `http://${incoming.headers.host}/v2/app/blobs/uploads/7` }).end();
    });
    const upstreams = [upstream(name, "registry.test")];
    const granary = await startNamedWorld({ port, upstreams, dns: { "registry.test": LOCAL } });
    const headers = { authorization: "Bearer mine", via: "1.0 fred" };
    const pushed = await askNamed(granary, name, "/v2/app/blobs/uploads/", {
      ...{ method: "POST", headers, body: "a layer" },
    });
    expect([pushed.status, pushed.headers.location]).toEqual([202, `https://${name}/v2/app/blobs/uploads/7`]);
    expect(seen).toEqual([
      "POST Bearer mine a layer",
      expect.stringMatching(/^1\.0 fred, 1\.1 granary-\w{16}$/),
    ]);
    const socket = connectTls({ host: "127.0.0.1", port, servername: "registry.test", ca: granary.ca });
    socket.write(`GET /events HTTP/1.1\r\nHost: ${name}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`);
    socket.end("and this comes back");
    expect(await text(socket)).toMatch(/^HTTP\/1.1 101 .*and this comes back$/s);
  });

  test("knows new upstreams after a reload, and can be opened and closed by one", async () => {
    const { names, granary } = await twoRegistries();
    const { settings, serving, port } = granary;
    const change = async (next: typeof settings) => (await serving.reloadPart.prepare(next, false)).apply();
    const [kept] = settings.listeners;
    if (kept === undefined) throw new Error("there is a listener");
    await change({ ...settings, upstreams: settings.upstreams.slice(1) });
    await expect(askNamed(granary, names[0], "/v2/")).rejects.toThrow(/alert/i);
    await change(settings);
    expect((await askNamed(granary, names[0], "/v2/")).status).toBe(200);
    const { tlsFromCa: _, ...plain } = kept;
    await change({ ...settings, listeners: [plain] });
    expect((await ask(port, "/v2/")).status).toBe(200);
    await change(settings);
    expect((await askNamed(granary, names[1], "/v2/")).status).toBe(200);
  });
});

describe("a name that leads back here", () => {
  test("is told within seconds, with what to do, to clients and once in the log", async () => {
    const port = await freePort();
    const name = `registry.test:${port}`;
    const upstream: Upstream = { ...plainUpstream(name), endpoints: [`https://${name}`], internal: true };
    const granary = await startNamedWorld({ port, upstreams: [upstream], dns: { "registry.test": LOCAL } });
    const begun = performance.now();
    const manifest = await askNamed(granary, name, "/v2/org/app/manifests/1");
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(manifest.status).toBe(502);
    const sentence =
      /registry\.test.* resolves to this Granary itself; name the DNS servers of the outside in `resolver`/;
    expect(manifest.body.toString()).toMatch(sentence);
    const base = await askNamed(granary, name, "/v2/", { headers: { authorization: "Basic dTpw" } });
    expect([base.status, base.body.toString()]).toEqual([508, expect.stringMatching(sentence)]);
    const warned = granary.lines.filter(({ level, msg }) => level === "warn" && sentence.test(String(msg)));
    expect(warned).toHaveLength(1);
  });

  test("is told at a plain listener too", async () => {
    const [port, plain] = [await freePort(), await freePort()];
    const name = `registry.test:${port}`;
    const endpoints = [`http://registry.test:${plain}`];
    const upstream: Upstream = { ...plainUpstream(name), endpoints, internal: true };
    const others = [{ port: plain, host: "127.0.0.1", upstream: name, login: undefined, tls: undefined }];
    const dns = { "registry.test": LOCAL };
    await startNamedWorld({ port, upstreams: [upstream], dns, others });
    const manifest = await ask(plain, "/v2/org/app/manifests/1");
    expect(errorsOf(manifest)[0]?.message).toContain("resolves to this Granary itself");
  });

  test("two Granaries in a row are no loop", async () => {
    const fake = await startFake({ mode: "plain" });
    const image = fake.addImage("org/app", "1", { layers: [1_000] });
    const [far, near] = [await freePort(), await freePort()];
    const dns = { "registry.test": LOCAL };
    const behind = await startNamedWorld({
      ...{ port: far, dns, upstreams: [named(`registry.test:${far}`, fake)] },
    });
    const name = `registry.test:${near}`;
    const endpoints = [`https://registry.test:${far}`];
    const upstream = { ...plainUpstream(name), endpoints, internal: true };
    const granary = await startNamedWorld({ port: near, dns, upstreams: [upstream], trusts: behind.ca });
    const manifest = await askNamed(granary, name, "/v2/org/app/manifests/1");
    expect(manifest.headers["docker-content-digest"]).toBe(image.manifestDigest);
    const layer = `/v2/org/app/blobs/${image.layerDigests[0]}`;
    expect((await askNamed(granary, name, layer)).body).toHaveLength(1_000);
    expect((await askNamed(granary, name, "/v2/")).status).toBe(200);
  });
});
