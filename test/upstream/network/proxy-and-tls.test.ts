/** Owns the tests of proxies, extra CAs and client certificates. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startForwardProxy } from "../../support/forward-proxy.ts";
import { runGranary } from "../../support/run-granary.ts";
import { askFor, clientOf, patient, startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";
import { caPem, clientCert, clientKey, serverCert, serverKey } from "../../support/throwaway-tls.ts";

const tls = { cert: serverCert, key: serverKey };
const ask = askFor("x", "y");

async function startWithImage(options: Parameters<typeof startFake>[0]) {
  const fake = await startFake(options);
  fake.addImage("x", "y", { layers: [1] });
  return fake;
}

describe("proxies", () => {
  it.each(["HTTP_PROXY", "http_proxy"])(
    "of %s carry http requests, also for names that only they know",
    async (name) => {
      const fake = await startWithImage({ mode: "plain" });
      const proxy = await startForwardProxy({ "registry.test": new URL(fake.url).host });
      const overrides = { internal: false, endpoints: ["http://registry.test"] };
      const { client } = clientOf(fake, overrides, { env: { [name]: proxy.url } });
      expect(await client.headManifest(ask)).toBeDefined();
      expect(proxy.asked).toEqual(["HEAD http://registry.test/v2/x/manifests/y"]);
    },
  );

  it("of HTTPS_PROXY carry https through a tunnel that ends at the upstream", async () => {
    const fake = await startWithImage({ mode: "plain", tls });
    const proxy = await startForwardProxy();
    const { client } = clientOf(fake, {}, { env: { HTTPS_PROXY: proxy.url }, tls: { ca: caPem } });
    expect(await client.headManifest(ask)).toBeDefined();
    expect(proxy.asked).toEqual([`CONNECT ${new URL(fake.url).host}`]);
  });

  it("are passed by for hosts in NO_PROXY, and without an environment", async () => {
    const fake = await startWithImage({ mode: "plain" });
    const proxy = await startForwardProxy();
    const { client } = clientOf(
      fake,
      {},
      { env: { HTTP_PROXY: proxy.url, NO_PROXY: "other.test,127.0.0.1" } },
    );
    expect(await client.headManifest(ask)).toBeDefined();
    expect(await clientOf(fake).client.headManifest(ask)).toBeDefined();
    expect(proxy.asked).toEqual([]);
  });

  it("are given by host and port alone, with a login, and over TLS", async () => {
    const fake = await startWithImage({ mode: "plain", tls });
    const login = `Basic ${Buffer.from("ann:p@ss:w%rd").toString("base64")}`;
    const proxy = await startForwardProxy({}, { tls, login });
    const { host } = new URL(proxy.url);
    const through = (env: Record<string, string>) => clientOf(fake, {}, { env, tls: { ca: caPem } }).client;
    const secure = through({ HTTPS_PROXY: `https://ann:p%40ss%3Aw%25rd@${host}` });
    expect(await secure.headManifest(ask)).toBeDefined();
    expect(proxy.logins).toEqual([login]);

    const plain = await startWithImage({ mode: "plain" });
    const bare = await startForwardProxy();
    const env = { http_proxy: bare.url.replace("http://", "") };
    expect(await clientOf(plain, {}, { env }).client.headManifest(ask)).toBeDefined();
    expect(bare.asked).toHaveLength(1);
  });

  it.each(["http", "https"] as const)(
    "that want a login are named with what to write, never with the login (%s)",
    async (scheme) => {
      const fake = await startWithImage(scheme === "https" ? { mode: "plain", tls } : { mode: "plain" });
      const proxy = await startForwardProxy({}, { login: "Basic x" });
      const { host } = new URL(proxy.url);
      const env = { ALL_PROXY: `http://ann:s3cret@${host}` };
      const asked = clientOf(fake, {}, { env, tls: { ca: caPem } }).client.headManifest(ask);
      await expect(asked).rejects.toMatchObject({
        code: "upstream-unavailable",
        message: expect.stringContaining(
          `through the proxy http://${host} (ALL_PROXY): it wants a login (407)`,
        ),
      });
      await expect(asked).rejects.not.toMatchObject({ message: expect.stringContaining("s3cret") });
      expect(fake.count()).toBe(0);
    },
  );

  it("are passed by for a network, and for a host on one port", async () => {
    const fake = await startWithImage({ mode: "plain" });
    const proxy = await startForwardProxy();
    for (const NO_PROXY of ["10.0.0.0/8, 127.0.0.0/8", fake.host]) {
      const { client } = clientOf(fake, {}, { env: { HTTP_PROXY: proxy.url, NO_PROXY } });
      expect(await client.headManifest(ask), NO_PROXY).toBeDefined();
    }
    expect(proxy.asked).toEqual([]);
  });

  it("that are gone make the upstream unavailable", async () => {
    const fake = await startWithImage({ mode: "plain" });
    const { client } = clientOf(fake, {}, { env: { HTTP_PROXY: "http://127.0.0.1:1" } });
    await expect(client.headManifest(ask)).rejects.toMatchObject({ code: "upstream-unavailable" });
  });
});

describe("certificates", () => {
  it("of an unknown CA are refused, and accepted with the extra CA", async () => {
    const fake = await startWithImage({ mode: "plain", tls });
    await expect(clientOf(fake).client.headManifest(ask)).rejects.toMatchObject({
      code: "upstream-unavailable",
      message: expect.stringMatching(/certificate/i),
    });
    expect(fake.count()).toBe(0);
    expect(await clientOf(fake, {}, { tls: { ca: caPem } }).client.headManifest(ask)).toBeDefined();
  });

  it("of the client are shown where they are configured", async () => {
    const fake = await startWithImage({ mode: "plain", tls: { ...tls, ca: caPem } });
    const { client: bare } = clientOf(fake, {}, { tls: { ca: caPem } });
    await expect(bare.headManifest(ask)).rejects.toMatchObject({ code: "upstream-unavailable" });
    const { client } = clientOf(fake, {}, { tls: { ca: caPem, cert: clientCert, key: clientKey } });
    expect(await client.headManifest(ask)).toBeDefined();
  });

  it("are renewed for connections to come, and stay where the new ones cannot be used", async () => {
    const fake = await startWithImage({ mode: "plain", tls: { ...tls, ca: caPem } });
    const { client } = clientOf(fake, {}, { tls: { ca: caPem, cert: clientCert, key: clientKey } });
    const digest = fake.addGeneratedBlob({ seed: 1, size: 3_000_000 }, "x");
    const underWay = await client.blobOrigin("x", digest).open({ start: 0, end: 3_000_000 }, patient);
    expect(() => client.renewTls({ cert: serverCert, key: clientKey })).toThrow(/cannot be used together/);
    expect(await client.headManifest(ask)).toBeDefined();
    client.renewTls({ ca: caPem });
    let taken = 0;
    for await (const chunk of underWay.body) taken += chunk.byteLength;
    expect(taken).toBe(3_000_000);
    await expect(client.headManifest(ask)).rejects.toMatchObject({ code: "upstream-unavailable" });
  });

  it("leave every connection at HTTP/1.1", async () => {
    const fake = await startWithImage({ mode: "plain", tls });
    const { client } = clientOf(fake, {}, { tls: { ca: caPem } });
    const heads = await Promise.all([1, 2, 3].map(() => client.headManifest(ask)));
    expect(heads).toHaveLength(3);
    expect(new Set(fake.requests.map(({ connection }) => connection)).size).toBe(3);
  });

  it("say what to do when they cannot be verified", async () => {
    const fake = await startWithImage({ mode: "plain", tls });
    await expect(clientOf(fake).client.headManifest(ask)).rejects.toMatchObject({
      message: expect.stringMatching(/signed by an authority that is not known here.*caFile.*--ca-file/),
    });
    const { port } = new URL(fake.url);
    const elsewhere = { endpoints: [`https://other.test:${port}`] };
    const named = clientOf(fake, elsewhere, {
      tls: { ca: caPem },
      lookup: (_, __, callback) => callback(null, [{ address: "127.0.0.1", family: 4 }]),
    });
    await expect(named.client.headManifest(ask)).rejects.toMatchObject({
      message: expect.stringContaining("is not for other.test"),
    });
    const plain = await startWithImage({ mode: "plain" });
    const mistaken = { endpoints: [plain.url.replace("http:", "https:")] };
    await expect(clientOf(plain, mistaken).client.headManifest(ask)).rejects.toMatchObject({
      message: expect.stringMatching(/does not speak TLS.*--insecure/),
    });
  });

  it("are trusted also where the system's store has their authority", async () => {
    const fake = await startWithImage({ mode: "plain", tls });
    const directory = await tempDirectory();
    const caFile = join(directory, "system.pem");
    await writeFile(caFile, caPem);
    const args = ["image", "digest", `${fake.host}/x:y`, "--via", fake.url];
    const home = { HOME: directory, DOCKER_CONFIG: "", REGISTRY_AUTH_FILE: "", XDG_RUNTIME_DIR: "" };
    const trusting = await runGranary(args, { cwd: directory, env: { ...home, SSL_CERT_FILE: caFile } });
    expect(trusting).toMatchObject({ code: 0, out: expect.stringContaining("sha256:") });
  });
});
