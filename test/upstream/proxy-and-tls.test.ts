/** Owns the tests of proxies, extra CAs and client certificates (registry-clients.md H76). */
import { describe, expect, it } from "vitest";
import { startForwardProxy } from "../support/forward-proxy.ts";
import { askFor, clientOf, startFake } from "../support/start-upstream.ts";
import { caPem, clientCert, clientKey, serverCert, serverKey } from "../support/throwaway-tls.ts";

const tls = { cert: serverCert, key: serverKey };
const ask = askFor("x", "y");

async function startWithImage(options: Parameters<typeof startFake>[0]) {
  const fake = await startFake(options);
  fake.addImage("x", "y", { layers: [1] });
  return fake;
}

describe("proxies", () => {
  it.each(["HTTP_PROXY", "http_proxy"])(
    "of %s carry http requests, also for names that only they know (H76)",
    async (name) => {
      const fake = await startWithImage({ mode: "plain" });
      const proxy = await startForwardProxy({ "registry.test": new URL(fake.url).host });
      const overrides = { internal: false, endpoints: ["http://registry.test"] };
      const { client } = clientOf(fake, overrides, { env: { [name]: proxy.url } });
      expect(await client.headManifest(ask)).toBeDefined();
      expect(proxy.asked).toEqual(["HEAD http://registry.test/v2/x/manifests/y"]);
    },
  );

  it("of HTTPS_PROXY carry https through a tunnel that ends at the upstream (H76)", async () => {
    const fake = await startWithImage({ mode: "plain", tls });
    const proxy = await startForwardProxy();
    const { client } = clientOf(fake, {}, { env: { HTTPS_PROXY: proxy.url }, tls: { ca: caPem } });
    expect(await client.headManifest(ask)).toBeDefined();
    expect(proxy.asked).toEqual([`CONNECT ${new URL(fake.url).host}`]);
  });

  it("are passed by for hosts in NO_PROXY, and without an environment (H76)", async () => {
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

  it("that are gone make the upstream unavailable", async () => {
    const fake = await startWithImage({ mode: "plain" });
    const { client } = clientOf(fake, {}, { env: { HTTP_PROXY: "http://127.0.0.1:1" } });
    await expect(client.headManifest(ask)).rejects.toMatchObject({ code: "upstream-unavailable" });
  });
});

describe("certificates", () => {
  it("of an unknown CA are refused, and accepted with the extra CA (H76)", async () => {
    const fake = await startWithImage({ mode: "plain", tls });
    await expect(clientOf(fake).client.headManifest(ask)).rejects.toMatchObject({
      code: "upstream-unavailable",
      message: expect.stringMatching(/certificate/i),
    });
    expect(fake.count()).toBe(0);
    expect(await clientOf(fake, {}, { tls: { ca: caPem } }).client.headManifest(ask)).toBeDefined();
  });

  it("of the client are shown where they are configured (H76)", async () => {
    const fake = await startWithImage({ mode: "plain", tls: { ...tls, ca: caPem } });
    const { client: bare } = clientOf(fake, {}, { tls: { ca: caPem } });
    await expect(bare.headManifest(ask)).rejects.toMatchObject({ code: "upstream-unavailable" });
    const { client } = clientOf(fake, {}, { tls: { ca: caPem, cert: clientCert, key: clientKey } });
    expect(await client.headManifest(ask)).toBeDefined();
  });

  it("leave every connection at HTTP/1.1", async () => {
    const fake = await startWithImage({ mode: "plain", tls });
    const { client } = clientOf(fake, {}, { tls: { ca: caPem } });
    const heads = await Promise.all([1, 2, 3].map(() => client.headManifest(ask)));
    expect(heads).toHaveLength(3);
    expect(new Set(fake.requests.map(({ connection }) => connection)).size).toBe(3);
  });
});
