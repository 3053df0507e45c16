/** Owns the tests of the address guard: by table, and by real requests that must not arrive (docs/protocol.md#private-addresses). */

import type { LookupFunction } from "node:net";
import { describe, expect, it } from "vitest";
import { whyRefused } from "../../../src/upstream/network/address-guard.ts";
import { startForwardProxy } from "../../support/forward-proxy.ts";
import { room } from "../../support/room.ts";
import { askFor, clientOf, startFake, startUpstream } from "../../support/start-upstream.ts";

const PRIVATE = [
  "127.0.0.1",
  "127.8.9.10",
  "10.1.2.3",
  "172.16.0.1",
  "192.168.1.1",
  "100.64.0.1",
  "169.254.1.1",
  "0.0.0.0",
  "0.1.2.3",
  "198.18.0.1",
  "192.0.2.1",
  "240.0.0.1",
  "255.255.255.255",
  "224.0.0.1",
  "::1",
  "::",
  "fe80::1",
  "fc00::1",
  "fd12:3456::1",
  "ff02::1",
  "::ffff:127.0.0.1",
  "::ffff:10.0.0.1",
  "64:ff9b::7f00:1",
  "64:ff9b::a9fe:a9fe",
  "64:ff9b:1::1",
  "2002:7f00:1::",
  "2001:db8::1",
  "not an address",
];
const METADATA = [
  "169.254.169.254",
  "::ffff:169.254.169.254",
  "64:ff9b::a9fe:a9fe",
  "fd00:ec2::254",
  "168.63.129.16",
];

describe("addresses", () => {
  it.each(PRIVATE)("refuses %s for an ordinary upstream", (address) => {
    expect(whyRefused(address, false)).toEqual(expect.any(String));
  });

  it.each(["1.1.1.1", "104.16.99.215", "2606:4700::6810:63d7", "64:ff9b::101:101"])(
    "allows %s",
    (address) => {
      expect(whyRefused(address, false)).toBeUndefined();
    },
  );

  it.each(["127.0.0.1", "10.1.2.3", "192.168.1.1", "::1", "fd12:3456::1", "169.254.1.1"])(
    "allows %s for an internal upstream",
    (address) => {
      expect(whyRefused(address, true)).toBeUndefined();
    },
  );

  it.each([...METADATA, "224.0.0.1", "0.0.0.0", "255.255.255.255"])(
    "refuses %s even for an internal one",
    (address) => {
      expect(whyRefused(address, true)).toEqual(expect.any(String));
    },
  );
});

describe("requests", () => {
  it.each(["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"])(
    "sends nothing to an endpoint at %s unless it is internal",
    async (host) => {
      const fake = await startFake({ mode: "plain" });
      const endpoints = [`http://${host}:${new URL(fake.url).port}`];
      const { client } = clientOf(fake, { internal: false, endpoints });
      await expect(client.headManifest(askFor("x", "y"))).rejects.toMatchObject({
        code: "denied",
        message: expect.stringMatching(/^Refused to connect to .* "internal: true"\.$/),
      });
      expect(fake.connections).toBe(0);
      expect(fake.count()).toBe(0);
    },
  );

  it("judges each connection's own look-up, so that a name cannot change between check and use", async () => {
    const fake = await startFake({ mode: "plain" });
    const answers = ["93.184.215.14", "127.0.0.1"];
    let asked = 0;
    const rebinding: LookupFunction = (_hostname, options, callback) => {
      asked += 1;
      // Whoever asks a second time, after having checked the first answer, gets the loopback.
      const address = asked === 1 && !options.all ? answers[0] : answers[1];
      if (options.all) callback(null, [{ address: address ?? "", family: 4 }]);
      else callback(null, address ?? "", 4);
    };
    const endpoints = [`http://rebound.test:${new URL(fake.url).port}`];
    const { client } = clientOf(fake, { internal: false, endpoints }, { lookup: rebinding });
    await expect(client.headManifest(askFor("x", "y"))).rejects.toMatchObject({ code: "denied" });
    expect(fake.connections).toBe(0);
    expect(asked).toBe(1);
  });

  it("leaves out the refused addresses of a name that has others", async () => {
    const fake = await startFake({ mode: "plain" });
    fake.addImage("x", "y", { layers: [1] });
    const both: LookupFunction = (_hostname, _options, callback) =>
      callback(null, [
        { address: "169.254.169.254", family: 4 },
        { address: "127.0.0.1", family: 4 },
      ]);
    const endpoints = [`http://both.test:${new URL(fake.url).port}`];
    const { client } = clientOf(fake, { endpoints }, { lookup: both });
    expect(await client.headManifest(askFor("x", "y"))).toBeDefined();
  });

  it.each([
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/",
    "http://0.0.0.0/",
  ])("refuses a redirect to %s, even of an internal upstream", async (location) => {
    const { fake, client } = await startUpstream({ mode: "plain" });
    fake.fail(/manifests/, { kind: "redirect", location });
    await expect(client.headManifest(askFor("x", "y"))).rejects.toMatchObject({
      code: "denied",
      message: expect.stringContaining("Refused to connect to"),
    });
  });

  it.each(["http://127.0.0.1:PORT/", "http://[::ffff:127.0.0.1]:PORT/", "http://10.0.0.1/"])(
    "refuses a public upstream's redirect to %s, also through a proxy that resolves the names",
    async (template) => {
      const fake = await startFake({ mode: "plain" });
      const victim = await startFake({ mode: "plain" });
      const proxy = await startForwardProxy({ "public.test": new URL(fake.url).host });
      const overrides = { internal: false, endpoints: ["http://public.test"] };
      const { client } = clientOf(fake, overrides, { env: { HTTP_PROXY: proxy.url } });
      const location = template.replace("PORT", new URL(victim.url).port);
      fake.fail(/manifests/, { kind: "redirect", location });
      await expect(client.headManifest(askFor("x", "y"))).rejects.toMatchObject({ code: "denied" });
      expect(fake.count()).toBe(1);
      expect(victim.connections).toBe(0);
      expect(proxy.asked).toHaveLength(1);
    },
  );

  it("refuses a realm on a private address although its host is listed", async () => {
    const fake = await startFake({ mode: "hub" });
    fake.addImage("x", "y", { layers: [1] });
    const proxy = await startForwardProxy({ "public.test": new URL(fake.url).host });
    const overrides = { internal: false, endpoints: ["http://public.test"] };
    const { client } = clientOf(fake, overrides, { env: { HTTP_PROXY: proxy.url } });
    await expect(client.headManifest(askFor("x", "y"))).rejects.toMatchObject({ code: "denied" });
    expect(fake.count({ origin: "auth" })).toBe(0);
  });

  it("takes only the query of a tag list's Link, never its host", async () => {
    const { fake, client } = await startUpstream({ mode: "plain" });
    for (const tag of ["a", "b", "c"]) fake.addImage("x", tag, { layers: [1] });
    const link = '<http://169.254.169.254/v2/x/tags/list?last=a&n=1>; rel="next"';
    fake.fail(/tags/, { kind: "headers", headers: { link } });
    expect((await client.tags("x", "n=1", room()))?.next).toBe("last=a&n=1");
    expect(fake.count()).toBe(1);
  });
});
